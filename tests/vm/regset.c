/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loaded in front of the C library (LD_PRELOAD) of user-mode-linux: floating point registers of any size.
 *
 * Linux takes the extended registers of a process only whole (PTRACE_SETREGSET, NT_X86_XSTATE). A
 * user-mode-linux before 6.10 has room for those of AVX-512; on a processor with AMX there are 11 KiB of
 * them, the kernel says EFAULT, and it dies in put_fp_registers(). So here what it knows is put in front of
 * what the process has, and all of it is set: programs in the VM do not use the rest.
 */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define STATE_ROOM 65536u /* AMX has 8 KiB of it, and Linux 11 KiB of everything */

static long state_set(pid_t pid, const struct iovec *known)
{
	static _Alignas(64) uint8_t state[STATE_ROOM];
	struct iovec whole = { state, sizeof(state) };

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) < 0)
		return -1;
	memcpy(state, known->iov_base,
	       known->iov_len < whole.iov_len ? known->iov_len : whole.iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

/* As the C library has it: the system call writes what is peeked at, the function returns it. */
static long word_peek(enum __ptrace_request request, pid_t pid, void *address)
{
	long word = 0;

	if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
		return -1;
	errno = 0;
	return word;
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list list;

	va_start(list, request);
	pid_t pid = va_arg(list, pid_t);
	void *address = va_arg(list, void *);
	void *data = va_arg(list, void *);
	va_end(list);

	if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE)
		return state_set(pid, data);
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER)
		return word_peek(request, pid, address);
	return syscall(SYS_ptrace, request, pid, address, data);
}

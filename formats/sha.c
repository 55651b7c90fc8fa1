/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "formats/sha.h"

#include "formats/big_endian.h"

#include <string.h>

#define PIECE 64u /* bytes that both take at once */

static uint32_t left(uint32_t word, unsigned bits)
{
	return word << bits | word >> (32 - bits);
}

static uint32_t right(uint32_t word, unsigned bits)
{
	return word >> bits | word << (32 - bits);
}

static void sha1_piece(uint32_t *state, const uint8_t *bytes)
{
	static const uint32_t keys[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	uint32_t w[80] = { 0 }, a = state[0], b = state[1], c = state[2], d = state[3],
		 e = state[4];

	for (uint32_t i = 0; i < 80; i++)
		w[i] = i < 16 ? get_be32(bytes + (size_t)4 * i)
			      : left(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (uint32_t i = 0; i < 80; i++) {
		uint32_t mixed = b ^ c ^ d, next;

		if (i < 20)
			mixed = (b & c) | (~b & d);
		else if (i >= 40 && i < 60)
			mixed = (b & c) | (b & d) | (c & d);
		next = left(a, 5) + mixed + e + keys[i / 20] + w[i];
		e = d;
		d = c;
		c = left(b, 30);
		b = a;
		a = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

static const uint32_t sha256_keys[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static void sha256_piece(uint32_t *state, const uint8_t *bytes)
{
	uint32_t w[64] = { 0 }, v[8];

	for (uint32_t i = 0; i < 64; i++) {
		if (i < 16) {
			w[i] = get_be32(bytes + (size_t)4 * i);
			continue;
		}
		w[i] = w[i - 16] + w[i - 7] +
		       (right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10);
	}
	memcpy(v, state, sizeof(v));
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t first = v[7] + (right(v[4], 6) ^ right(v[4], 11) ^ right(v[4], 25)) +
				 ((v[4] & v[5]) ^ (~v[4] & v[6])) + sha256_keys[i] + w[i];
		uint32_t second = (right(v[0], 2) ^ right(v[0], 13) ^ right(v[0], 22)) +
				  ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += first;
		v[0] = first + second;
	}
	for (uint32_t i = 0; i < 8; i++)
		state[i] += v[i];
}

/* All pieces and the padded end: a one bit, zeros, the length in bits. */
static void pieces(uint32_t *state, void (*piece)(uint32_t *state, const uint8_t *bytes),
		   const uint8_t *bytes, size_t size)
{
	uint8_t end[2 * PIECE] = { 0 };
	size_t whole = size - size % PIECE, rest = size % PIECE;
	size_t end_size = rest + 9 <= PIECE ? PIECE : 2 * PIECE;

	for (size_t at = 0; at < whole; at += PIECE)
		piece(state, bytes + at);
	if (rest)
		memcpy(end, bytes + whole, rest);
	end[rest] = 0x80;
	put_be32(end + end_size - 8, (uint32_t)((uint64_t)size >> 29));
	put_be32(end + end_size - 4, (uint32_t)(size << 3));
	for (size_t at = 0; at < end_size; at += PIECE)
		piece(state, end + at);
}

void sha1_of(uint8_t out[static SHA1_SIZE], const uint8_t *bytes, size_t size)
{
	uint32_t state[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };

	pieces(state, sha1_piece, bytes, size);
	for (uint32_t i = 0; i < 5; i++)
		put_be32(out + (size_t)4 * i, state[i]);
}

void sha256_of(uint8_t out[static SHA256_SIZE], const uint8_t *bytes, size_t size)
{
	uint32_t state[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
			      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	pieces(state, sha256_piece, bytes, size);
	for (uint32_t i = 0; i < 8; i++)
		put_be32(out + (size_t)4 * i, state[i]);
}

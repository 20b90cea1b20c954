// SHA-256 (FIPS 180-4). Pure: bytes in, digest out. Long chains of arithmetic in short loops.
#ifndef GANGLION_KERNELS_SHA256_HPP
#define GANGLION_KERNELS_SHA256_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ganglion::kernels {

namespace sha256_detail {

constexpr std::size_t message_block_bytes = 64;

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr std::uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, //
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, //
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, //
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, //
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, //
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, //
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, //
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

constexpr std::uint32_t rotated(std::uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

using State = std::array<std::uint32_t, 8>;

inline void absorb(State& state, const std::uint8_t* block)
{
    std::uint32_t w[64];
    for (int t = 0; t < 16; ++t) {
        std::uint32_t word;
        std::memcpy(&word, block + 4 * t, sizeof word);
        w[t] = __builtin_bswap32(word);
    }
    for (int t = 16; t < 64; ++t) {
        const std::uint32_t s0 = rotated(w[t - 15], 7) ^ rotated(w[t - 15], 18) ^ w[t - 15] >> 3;
        const std::uint32_t s1 = rotated(w[t - 2], 17) ^ rotated(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (int t = 0; t < 64; ++t) {
        const std::uint32_t s1 = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
        const std::uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + round_constants[t] + w[t];
        const std::uint32_t s0 = rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22);
        const std::uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const State mixed = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < state.size(); ++i) {
        state[i] += mixed[i];
    }
}

} // namespace sha256_detail

/// The digest, as eight numbers of which the first is its beginning.
inline std::array<std::uint32_t, 8> sha256(const std::uint8_t* bytes, std::size_t size)
{
    using namespace sha256_detail;
    // The first 32 bits of the fractional parts of the square roots of the first 8 primes.
    State state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const std::size_t rest = size % message_block_bytes;
    for (std::size_t at = 0; at != size - rest; at += message_block_bytes) {
        absorb(state, bytes + at);
    }
    // What is left, a one bit, zeros, and the length in bits: one block more, or two.
    std::uint8_t last[2 * message_block_bytes] = {};
    std::memcpy(last, bytes + (size - rest), rest);
    last[rest] = 0x80;
    const std::size_t last_bytes = rest + 9 > message_block_bytes ? 2 * message_block_bytes : message_block_bytes;
    const std::uint64_t bits = __builtin_bswap64(std::uint64_t{size} * 8);
    std::memcpy(last + last_bytes - sizeof bits, &bits, sizeof bits);
    for (std::size_t at = 0; at != last_bytes; at += message_block_bytes) {
        absorb(state, last + at);
    }
    return state;
}

/// The digest in hexadecimal, as it is written everywhere.
inline std::array<char, 64> hexadecimal(const std::array<std::uint32_t, 8>& digest)
{
    std::array<char, 64> digits;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        digits[i] = "0123456789abcdef"[digest[i / 8] >> (28 - 4 * (i % 8)) & 15];
    }
    return digits;
}

} // namespace ganglion::kernels

#endif

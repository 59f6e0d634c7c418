// The body's numbers are little-endian and its fields have fixed sizes, so that one key, cost and
// randomness have exactly one file.
#include "crypto/key_file.h"

#include <sodium.h>

#include <algorithm>

#include "base/check.h"
#include "crypto/blake3.h"

namespace lockstep::crypto {
namespace {

constexpr uint16_t version = 1;
enum class Kind : uint8_t { plain, sealed };

constexpr std::string_view sealed_line = "lockstep key, sealed with a passphrase";
constexpr std::string_view plain_line =
    "lockstep key, NOT ENCRYPTED, for a private network only: whoever reads this file has the key";

// version, kind, public key | cost, salt, nonce, sealed seed | seed | checksum
constexpr size_t head_bytes = 2 + 1 + 32;
constexpr size_t associated_bytes = head_bytes + 8 + 8 + 16 + 24;
constexpr size_t box_bytes = 32 + crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t checksum_bytes = 32;
constexpr size_t sealed_bytes = associated_bytes + box_bytes + checksum_bytes;
constexpr size_t plain_bytes = head_bytes + 32 + checksum_bytes;
static_assert(2 * sealed_bytes + plain_line.size() + 2 < key_file_bytes_max);
static_assert(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES == 24);
static_assert(crypto_pwhash_SALTBYTES == 16);

Error bad_file(std::string what, std::string next) {
  return refuse(Code::bad_key_file, std::move(what), std::move(next));
}

Error damaged() {
  return bad_file("the key file is damaged", "restore it from your backup of the file");
}

template <class T>
void put_number(Bytes& body, T value) {
  for (size_t i = 0; i < sizeof value; ++i) {
    body.push_back(static_cast<uint8_t>(value >> 8 * i));
  }
}

void put_bytes(Bytes& body, ByteView bytes) {
  body.insert(body.end(), bytes.begin(), bytes.end());
}

template <class T>
T number_at(ByteView body, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof value; ++i) {
    value = static_cast<T>(value | static_cast<T>(body[at + i]) << 8 * i);
  }
  return value;
}

Hash checksum_of(ByteView bytes) {
  return hash(Mode::derive("lockstep v1 key file"), bytes);
}

bool fits(const KeyCost& cost) {
  return cost.passes >= key_cost_min.passes && cost.passes <= key_cost_max.passes &&
         cost.memory_bytes >= key_cost_min.memory_bytes &&
         cost.memory_bytes <= key_cost_max.memory_bytes;
}

SecretKey key_of(const Seed& seed) {
  Hash copy;
  copy.bytes = seed.bytes();
  SecretKey key = SecretKey::from_seed(copy);
  wipe(copy.bytes);
  return key;
}

Bytes head_of(Kind kind, const PublicKey& key) {
  Bytes body;
  body.reserve(sealed_bytes);
  put_number(body, version);
  put_number(body, static_cast<uint8_t>(kind));
  put_bytes(body, key.bytes);
  return body;
}

/// Adds the checksum; wipes the body, of which nothing is left but the text.
Bytes text_of(std::string_view line, Bytes body) {
  static constexpr std::string_view digits = "0123456789abcdef";
  put_bytes(body, checksum_of(body).view());
  Bytes text;
  text.reserve(line.size() + 2 * body.size() + 2);
  text.insert(text.end(), line.begin(), line.end());
  text.push_back('\n');
  for (const uint8_t byte : body) {
    text.push_back(static_cast<uint8_t>(digits[byte >> 4]));
    text.push_back(static_cast<uint8_t>(digits[byte & 15]));
  }
  text.push_back('\n');
  wipe(body);
  return text;
}

/// What a file holds, checked but for the seal.
struct Parts {
  KeyFile about;
  Bytes body;
  Parts() = default;
  Parts(Parts&&) = default;
  Parts& operator=(Parts&&) = default;
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;
  ~Parts() { wipe(body); }
};

Result<Parts> parts_of(ByteView file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const size_t line_end = text.find('\n');
  if (file.size() > key_file_bytes_max || !text.starts_with("lockstep key, ") ||
      line_end == std::string_view::npos) {
    return bad_file("this is no key file", "check the path");
  }
  const std::string_view line = text.substr(0, line_end);
  if (text.size() < line_end + 2 || text.back() != '\n') {
    return damaged();
  }
  auto bytes = from_hex(text.substr(line_end + 1, text.size() - line_end - 2));
  if (!bytes.ok()) {
    return damaged();
  }
  Parts parts;
  parts.body = std::move(bytes).value();
  const ByteView body = parts.body;
  if (body.size() >= 2 && number_at<uint16_t>(body, 0) > version) {
    return bad_file("a newer version of lockstep made this key file", "update lockstep");
  }
  const bool sealed = line == sealed_line;
  if ((!sealed && line != plain_line) || body.size() != (sealed ? sealed_bytes : plain_bytes) ||
      number_at<uint16_t>(body, 0) != version ||
      body[2] != static_cast<uint8_t>(sealed ? Kind::sealed : Kind::plain)) {
    return damaged();
  }
  const ByteView checked = body.first(body.size() - checksum_bytes);
  if (!std::ranges::equal(checksum_of(checked).bytes, body.last(checksum_bytes))) {
    return damaged();
  }
  std::ranges::copy(body.subspan(3, 32), parts.about.key.bytes.begin());
  parts.about.sealed = sealed;
  if (sealed) {
    parts.about.cost = {number_at<uint64_t>(body, head_bytes),
                        number_at<uint64_t>(body, head_bytes + 8)};
    if (!fits(parts.about.cost)) {
      return bad_file("the key file asks for more work than any key of ours",
                      "do not trust where it comes from");
    }
  }
  return parts;
}

/// The key of the seal. Only a lack of memory makes it fail.
Result<Secret<32>> seal_key(std::string_view passphrase, const KeyCost& cost, ByteView salt) {
  CHECK(sodium_init() >= 0);
  Secret<32> key;
  if (crypto_pwhash(key.bytes().data(),
                    key.bytes().size(),
                    passphrase.data(),
                    passphrase.size(),
                    salt.data(),
                    cost.passes,
                    cost.memory_bytes,
                    crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return refuse(Code::too_large,
                  "this machine has not the " + std::to_string(cost.memory_bytes >> 20) +
                      " MiB of memory free that the key file asks for",
                  "close other programs and try again");
  }
  return key;
}

Result<Seed> seed_of(const Parts& parts, std::string_view passphrase) {
  const ByteView body = parts.body;
  Seed seed;
  if (!parts.about.sealed) {
    std::ranges::copy(body.subspan(head_bytes, 32), seed.bytes().begin());
  } else {
    const ByteView salt = body.subspan(head_bytes + 16, 16);
    const ByteView nonce = body.subspan(head_bytes + 32, 24);
    const Secret<32> key = TRY(seal_key(passphrase, parts.about.cost, salt));
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(seed.bytes().data(),
                                                   nullptr,
                                                   nullptr,
                                                   body.data() + associated_bytes,
                                                   box_bytes,
                                                   body.data(),
                                                   associated_bytes,
                                                   nonce.data(),
                                                   key.bytes().data()) != 0) {
      return bad_file("wrong passphrase", "try again: capitals, keyboard layout, spaces count");
    }
  }
  if (key_of(seed).public_key() != parts.about.key) {
    return damaged();
  }
  return seed;
}

}  // namespace

Result<Bytes> sealed_key_file(const Seed& seed,
                              std::string_view passphrase,
                              const KeyCost& cost,
                              const KeyRandom& random) {
  if (!fits(cost)) {
    return refuse(Code::out_of_range, "a passphrase cannot be given this cost");
  }
  Bytes body = head_of(Kind::sealed, key_of(seed).public_key());
  put_number(body, cost.passes);
  put_number(body, cost.memory_bytes);
  put_bytes(body, random.salt);
  put_bytes(body, random.nonce);
  const Secret<32> key = TRY(seal_key(passphrase, cost, random.salt));
  std::array<uint8_t, box_bytes> box{};
  CHECK(crypto_aead_xchacha20poly1305_ietf_encrypt(box.data(),
                                                   nullptr,
                                                   seed.bytes().data(),
                                                   seed.bytes().size(),
                                                   body.data(),
                                                   body.size(),
                                                   nullptr,
                                                   random.nonce.data(),
                                                   key.bytes().data()) == 0);
  put_bytes(body, box);
  return text_of(sealed_line, std::move(body));
}

Bytes plain_key_file(const Seed& seed) {
  Bytes body = head_of(Kind::plain, key_of(seed).public_key());
  put_bytes(body, seed.bytes());
  return text_of(plain_line, std::move(body));
}

Result<KeyFile> read_key_file(ByteView file) {
  return KeyFile(TRY(parts_of(file)).about);
}

Result<SecretKey> unlock_key_file(ByteView file, std::string_view passphrase) {
  const Parts parts = TRY(parts_of(file));
  return key_of(TRY(seed_of(parts, passphrase)));
}

Result<Bytes> resealed_key_file(ByteView file,
                                std::string_view passphrase,
                                std::string_view new_passphrase,
                                const KeyCost& cost,
                                const KeyRandom& random) {
  const Parts parts = TRY(parts_of(file));
  const Seed seed = TRY(seed_of(parts, passphrase));
  return sealed_key_file(seed, new_passphrase, cost, random);
}

}  // namespace lockstep::crypto

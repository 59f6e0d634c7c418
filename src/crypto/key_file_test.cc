// Key files come back, tell nothing without their passphrase, and every changed bit is refused
// with a text that says what is wrong.
#include "crypto/key_file.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/test_random.h"
#include "base/test_soak.h"
#include "crypto/blake3.h"

namespace lockstep::crypto {
namespace {

constexpr KeyCost cheap{1, uint64_t{8} << 10};

Seed random_seed(TestRandom& random) {
  Seed seed;
  for (uint8_t& byte : seed.bytes()) {
    byte = static_cast<uint8_t>(random.next());
  }
  return seed;
}

KeyRandom random_salt(TestRandom& random) {
  KeyRandom salt;
  for (uint8_t& byte : salt.salt) {
    byte = static_cast<uint8_t>(random.next());
  }
  for (uint8_t& byte : salt.nonce) {
    byte = static_cast<uint8_t>(random.next());
  }
  return salt;
}

PublicKey public_of(const Seed& seed) {
  Hash copy;
  copy.bytes = seed.bytes();
  return SecretKey::from_seed(copy).public_key();
}

std::string as_text(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

Bytes as_bytes(std::string_view text) {
  return {text.begin(), text.end()};
}

/// The bytes behind the second line, and the file again with a checksum that fits them.
Bytes body_of(const Bytes& file) {
  const std::string text = as_text(file);
  const size_t end = text.find('\n');
  return from_hex(text.substr(end + 1, text.size() - end - 2)).value();
}

Bytes with_body(const Bytes& file, Bytes body) {
  body.resize(body.size() - 32);
  const Hash sum = hash(Mode::derive("lockstep v1 key file"), body);
  body.insert(body.end(), sum.bytes.begin(), sum.bytes.end());
  const std::string text = as_text(file);
  return as_bytes(text.substr(0, text.find('\n') + 1) + to_hex(body) + "\n");
}

std::string refusal_of(const Bytes& file, std::string_view passphrase) {
  const auto key = unlock_key_file(file, passphrase);
  if (key.ok()) {
    return "unlocked";
  }
  EXPECT_EQ(key.error().code, Code::bad_key_file);
  EXPECT_FALSE(key.error().next.empty());
  return key.error().what;
}

TEST(KeyFile, ASealedFileComesBack) {
  TestRandom random(1);
  for (uint64_t i = 0; i < 200 * soak_times(); ++i) {
    const Seed seed = random_seed(random);
    const std::string passphrase(random.below(40), static_cast<char>('a' + random.below(26)));
    const auto file = sealed_key_file(seed, passphrase, cheap, random_salt(random));
    ASSERT_TRUE(file.ok());
    ASSERT_LE(file->size(), key_file_bytes_max);
    const auto about = read_key_file(*file);
    ASSERT_TRUE(about.ok());
    EXPECT_TRUE(about->sealed);
    EXPECT_EQ(about->cost, cheap);
    EXPECT_EQ(about->key, public_of(seed));
    const auto key = unlock_key_file(*file, passphrase);
    ASSERT_TRUE(key.ok());
    EXPECT_EQ(key->public_key(), public_of(seed));
    EXPECT_TRUE(verify(public_of(seed), Bytes{1, 2}, key->sign(Bytes{1, 2})));
    EXPECT_EQ(refusal_of(*file, passphrase + "x"), "wrong passphrase");
    EXPECT_EQ(as_text(*file).find(to_hex(seed.bytes())), std::string::npos);
  }
}

TEST(KeyFile, APlainFileSaysThatItIsOne) {
  TestRandom random(2);
  const Seed seed = random_seed(random);
  const Bytes file = plain_key_file(seed);
  EXPECT_NE(as_text(file).find("NOT ENCRYPTED"), std::string::npos);
  const auto about = read_key_file(file);
  ASSERT_TRUE(about.ok());
  EXPECT_FALSE(about->sealed);
  EXPECT_EQ(about->key, public_of(seed));
  const auto key = unlock_key_file(file, {});
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key->public_key(), public_of(seed));
}

TEST(KeyFile, HasGoldenBytes) {
  // Files of version 1 are read forever.
  const auto file = as_bytes(
      "lockstep key, sealed with a passphrase\n"
      "01000103a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b80100000000"
      "00000000200000000000000707070707070707070707070707070709090909090909090909090909"
      "090909090909090909090953206cc9cdcad619d61096d9242c767ced839fa940f47bfb7917b082f6"
      "1b2b4fc782bdef78d7651897c7e6789c4cc1877ea7563d70ddca735a288e5916b8cac1c87df34575"
      "e3429e01c0d2fe9f42f233"
      "\n");
  Seed seed;
  KeyRandom salt;
  for (size_t i = 0; i < 32; ++i) {
    seed.bytes()[i] = static_cast<uint8_t>(i);
  }
  salt.salt.fill(7);
  salt.nonce.fill(9);
  EXPECT_EQ(as_text(sealed_key_file(seed, "correct horse", cheap, salt).value()), as_text(file));
  const auto key = unlock_key_file(file, "correct horse");
  ASSERT_TRUE(key.ok()) << key.error().message();
  EXPECT_EQ(key->public_key(), public_of(seed));
}

TEST(KeyFile, EveryChangedBitIsDamageAndNoWrongPassphrase) {
  TestRandom random(3);
  const Seed seed = random_seed(random);
  for (const Bytes& file :
       {sealed_key_file(seed, "correct horse", cheap, random_salt(random)).value(),
        plain_key_file(seed)}) {
    for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
      Bytes changed = file;
      changed[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
      const std::string refusal = refusal_of(changed, "correct horse");
      EXPECT_TRUE(refusal == "the key file is damaged" || refusal == "this is no key file" ||
                  refusal == "a newer version of lockstep made this key file")
          << bit << ": " << refusal;
    }
    for (size_t size = 0; size < file.size(); ++size) {
      EXPECT_NE(refusal_of(Bytes(file.begin(), file.begin() + static_cast<long>(size)), ""),
                "unlocked");
    }
    Bytes longer = file;
    longer.push_back('\n');
    EXPECT_EQ(refusal_of(longer, "correct horse"), "the key file is damaged");
  }
}

TEST(KeyFile, TheSealCoversEveryBitEvenWhenTheChecksumIsMadeToFit) {
  TestRandom random(4);
  const Seed seed = random_seed(random);
  const Bytes file = sealed_key_file(seed, "correct horse", cheap, random_salt(random)).value();
  const Bytes body = body_of(file);
  ASSERT_EQ(with_body(file, body), file);
  for (size_t bit = 0; bit < 8 * (body.size() - 32); ++bit) {
    const bool costs = bit / 8 >= 35 && bit / 8 < 51;
    Bytes changed = body;
    changed[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    const Bytes forged = with_body(file, changed);
    const auto about = read_key_file(forged);
    if (costs && about.ok() && about->cost.memory_bytes > (16U << 20)) {
      continue;  // nothing but the cost of trying differs
    }
    EXPECT_NE(refusal_of(forged, "correct horse"), "unlocked") << bit;
  }
  // A plain file whose key is another's: the name is not believed.
  Bytes plain = body_of(plain_key_file(seed));
  const PublicKey other = public_of(random_seed(random));
  std::ranges::copy(other.bytes, plain.begin() + 3);
  EXPECT_EQ(refusal_of(with_body(plain_key_file(seed), plain), ""), "the key file is damaged");
}

TEST(KeyFile, AHostileCostIsRefusedBeforeItIsPaid) {
  TestRandom random(5);
  const Seed seed = random_seed(random);
  const Bytes file = sealed_key_file(seed, "correct horse", cheap, random_salt(random)).value();
  for (const KeyCost& cost : {KeyCost{1, uint64_t{1} << 40},
                              KeyCost{uint64_t{1} << 32, 8192},
                              KeyCost{0, 8192},
                              KeyCost{1, 8191},
                              KeyCost{~uint64_t{0}, ~uint64_t{0}},
                              KeyCost{key_cost_max.passes + 1, 8192},
                              KeyCost{1, key_cost_max.memory_bytes + 1}}) {
    Bytes body = body_of(file);
    std::memcpy(body.data() + 35, &cost.passes, 8);
    std::memcpy(body.data() + 43, &cost.memory_bytes, 8);
    EXPECT_EQ(refusal_of(with_body(file, body), "correct horse"),
              "the key file asks for more work than any key of ours");
    const auto made = sealed_key_file(seed, "correct horse", cost, random_salt(random));
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().code, Code::out_of_range);
  }
}

TEST(KeyFile, ANewerVersionIsNamed) {
  TestRandom random(6);
  const Bytes file = plain_key_file(random_seed(random));
  Bytes body = body_of(file);
  body[0] = 2;
  EXPECT_EQ(refusal_of(with_body(file, body), ""),
            "a newer version of lockstep made this key file");
}

TEST(KeyFile, ThePassphraseCanBeChanged) {
  TestRandom random(7);
  const Seed seed = random_seed(random);
  const Bytes file = sealed_key_file(seed, "first one", cheap, random_salt(random)).value();
  const auto wrong = resealed_key_file(file, "other", "second", cheap, random_salt(random));
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().what, "wrong passphrase");
  for (const Bytes& from : {file, plain_key_file(seed)}) {
    const auto changed =
        resealed_key_file(from, "first one", "second one", cheap, random_salt(random));
    ASSERT_TRUE(changed.ok());
    EXPECT_EQ(refusal_of(*changed, "first one"), "wrong passphrase");
    const auto key = unlock_key_file(*changed, "second one");
    ASSERT_TRUE(key.ok());
    EXPECT_EQ(key->public_key(), public_of(seed));
  }
}

TEST(KeyFile, ErrorsHoldNoSecrets) {
  TestRandom random(8);
  const Seed seed = random_seed(random);
  Bytes file = plain_key_file(seed);
  file[file.size() - 3] ^= 1;
  const auto key = unlock_key_file(file, "my secret phrase");
  ASSERT_FALSE(key.ok());
  const std::string message = key.error().message();
  EXPECT_EQ(message.find("my secret phrase"), std::string::npos);
  EXPECT_EQ(message.find(to_hex(seed.bytes()).substr(0, 8)), std::string::npos);
}

TEST(Secret, IsWipedWhenItMovesAndWhenItGoes) {
  alignas(Seed) std::array<uint8_t, sizeof(Seed)> room{};
  Seed* const seed = new (room.data()) Seed;
  seed->bytes().fill(0xaa);
  const Seed moved = std::move(*seed);
  EXPECT_EQ(moved.bytes()[31], 0xaa);
  EXPECT_TRUE(std::ranges::all_of(room, [](uint8_t byte) { return byte == 0; }));
  seed->bytes().fill(0xaa);
  seed->~Seed();
  EXPECT_TRUE(std::ranges::all_of(room, [](uint8_t byte) { return byte == 0; }));

  SecretText text;
  for (size_t i = 0; i < SecretText::bytes_max; ++i) {
    ASSERT_TRUE(text.add('x'));
  }
  EXPECT_FALSE(text.add('y'));
  text.drop_last();
  EXPECT_EQ(text.text(), std::string(SecretText::bytes_max - 1, 'x'));
  text.clear();
  text.drop_last();
  EXPECT_EQ(text.text(), "");
}

}  // namespace
}  // namespace lockstep::crypto

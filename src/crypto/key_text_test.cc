// Golden texts (made by another implementation of BIP 350), and that typos are found.
#include "crypto/key_text.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/test_random.h"
#include "base/test_soak.h"

namespace lockstep::crypto {
namespace {

constexpr std::string_view letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

PublicKey random_key(TestRandom& random) {
  PublicKey key;
  for (uint8_t& byte : key.bytes) {
    byte = static_cast<uint8_t>(random.next());
  }
  return key;
}

void expect_refused(const std::string& text) {
  const auto key = parse_key(text);
  ASSERT_FALSE(key.ok()) << text;
  EXPECT_EQ(key.error().code, Code::bad_address);
  EXPECT_FALSE(key.error().next.empty());
}

TEST(KeyText, HasGoldenTexts) {
  PublicKey key;
  EXPECT_EQ(key_text(key), "lk1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqggnytw");
  for (size_t i = 0; i < 32; ++i) {
    key.bytes[i] = static_cast<uint8_t>(i);
  }
  EXPECT_EQ(key_text(key), "lk1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0spucxth");
  key.bytes.fill(0xff);
  EXPECT_EQ(key_text(key), "lk1llllllllllllllllllllllllllllllllllllllllllllllllllls2ks4ze");
}

TEST(KeyText, ComesBack) {
  TestRandom random(1);
  for (uint64_t i = 0; i < 10'000 * soak_times(); ++i) {
    const PublicKey key = random_key(random);
    const std::string text = key_text(key);
    ASSERT_EQ(text.size(), key_text_size);
    const auto back = parse_key(text);
    ASSERT_TRUE(back.ok()) << text;
    ASSERT_EQ(*back, key);
  }
}

TEST(KeyText, EveryWrongCharacterIsFound) {
  TestRandom random(2);
  for (int round = 0; round < 20; ++round) {
    const std::string text = key_text(random_key(random));
    for (size_t at = 0; at < text.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string typo = text;
        typo[at] = static_cast<char>(byte);
        if (typo != text) {
          expect_refused(typo);
        }
      }
    }
  }
}

TEST(KeyText, EveryMissingDoubledOrSwappedCharacterIsFound) {
  TestRandom random(3);
  for (int round = 0; round < 50; ++round) {
    const std::string text = key_text(random_key(random));
    for (size_t at = 0; at < text.size(); ++at) {
      expect_refused(std::string(text).erase(at, 1));
      for (const char letter : letters) {
        expect_refused(std::string(text).insert(at, 1, letter));
      }
      for (size_t other = at + 1; other < text.size(); ++other) {
        std::string typo = text;
        std::swap(typo[at], typo[other]);
        if (typo != text) {
          expect_refused(typo);
        }
      }
    }
  }
}

TEST(KeyText, UpToFourWrongCharactersAreFound) {
  TestRandom random(4);
  for (uint64_t i = 0; i < 50'000 * soak_times(); ++i) {
    const std::string text = key_text(random_key(random));
    std::string typo = text;
    for (uint64_t count = 2 + random.below(3); count > 0; --count) {
      typo[3 + random.below(text.size() - 3)] = letters[random.below(letters.size())];
    }
    if (typo != text) {
      expect_refused(typo);
    }
  }
}

TEST(KeyText, UpperCaseAndOtherTextsAreRefused) {
  std::string upper = key_text(PublicKey{});
  std::ranges::transform(upper, upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  for (const std::string& text : {upper,
                                  std::string(),
                                  std::string("lk1"),
                                  std::string(64, '0'),
                                  std::string(61, 'q'),
                                  " " + key_text(PublicKey{}),
                                  key_text(PublicKey{}) + "\n"}) {
    expect_refused(text);
  }
}

TEST(KeyText, BitsBeyondTheKeyAreRefused) {
  // A checksum that fits does not help a text whose four last bits are not zero.
  TestRandom random(5);
  const std::string text = key_text(random_key(random));
  size_t fitting = 0;
  for (const char last : letters) {
    std::string other = text;
    other[54] = last;
    const auto parsed = parse_key(other);
    fitting += parsed.ok() ? 1U : 0U;
  }
  EXPECT_EQ(fitting, 1U);
  expect_refused("lk1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqp4783ku");
}

}  // namespace
}  // namespace lockstep::crypto

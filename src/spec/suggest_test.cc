// Suggestions: known distances, and every word one edit away from a key leads back to it.
#include "spec/suggest.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace lockstep::spec {
namespace {

constexpr std::string_view keys[] = {"name", "model", "train_images", "local_steps", "verify"};

TEST(Suggest, Distances) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("mdoel", "model"), 1U);  // neighbours swapped
  EXPECT_EQ(edit_distance("ca", "abc"), 3U);       // no letter is edited twice
}

TEST(Suggest, NearestWord) {
  EXPECT_EQ(suggest("modle", keys), "model");
  EXPECT_EQ(suggest("Model", keys), "model");
  EXPECT_EQ(suggest("trian_image", keys), "train_images");
  EXPECT_EQ(suggest("local-steps", keys), "local_steps");
  EXPECT_EQ(suggest("accelerators", keys), std::nullopt);
  EXPECT_EQ(suggest("", keys), std::nullopt);
  EXPECT_EQ(suggest(std::string(100'000, 'a'), keys), std::nullopt);
  EXPECT_EQ(suggest("model", std::span<const std::string_view>()), std::nullopt);
}

TEST(Suggest, FirstAmongEquals) {
  constexpr std::string_view words[] = {"cat", "bat"};
  EXPECT_EQ(suggest("rat", words), "cat");
}

TEST(Suggest, Advice) {
  EXPECT_EQ(advice("modle", keys), "did you mean \"model\"?");
  constexpr std::string_view words[] = {"job", "span"};
  EXPECT_EQ(advice("accelerators", words), "write one of: job, span");
}

TEST(Suggest, DistanceIsSymmetricAndBounded) {
  EXPECT_TRUE(rc::check([](const std::string& a, const std::string& b) {
    const size_t distance = edit_distance(a, b);
    RC_ASSERT(distance == edit_distance(b, a));
    RC_ASSERT(distance <= std::max(a.size(), b.size()));
    RC_ASSERT(distance >= std::max(a.size(), b.size()) - std::min(a.size(), b.size()));
    RC_ASSERT((distance == 0) == (a == b));
  }));
}

TEST(Suggest, OneMistakeLeadsBack) {
  EXPECT_TRUE(rc::check([] {
    const std::string_view key =
        *rc::gen::elementOf(std::vector<std::string_view>(std::begin(keys), std::end(keys)));
    std::string word(key);
    const size_t at = *rc::gen::inRange<size_t>(0, word.size() - 1);
    switch (*rc::gen::inRange(0, 4)) {
      case 0:
        word.erase(at, 1);
        break;
      case 1:
        word.insert(at, 1, *rc::gen::inRange('a', 'z'));
        break;
      case 2:
        word[at] = *rc::gen::inRange('a', 'z');
        break;
      default:
        std::swap(word[at], word[at + 1]);
    }
    RC_ASSERT(suggest(word, keys) == key);
  }));
}

}  // namespace
}  // namespace lockstep::spec

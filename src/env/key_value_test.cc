#include "env/key_value.h"

#include <gtest/gtest.h>

namespace lockstep::env {
namespace {

using Keys = std::vector<std::string>;

TEST(MemoryKeyValue, GivesKeysInOrderAndPageByPage) {
  MemoryKeyValue values;
  ASSERT_TRUE(
      values.apply({{"b/2", Bytes{2}}, {"a/9", Bytes{1}}, {"b/1", Bytes{3}}, {"c", Bytes{4}}})
          .ok());
  EXPECT_EQ(*values.keys("b/", "", 10), (Keys{"b/1", "b/2"}));
  EXPECT_EQ(*values.keys("b/", "", 1), (Keys{"b/1"}));
  EXPECT_EQ(*values.keys("b/", "b/1", 10), (Keys{"b/2"}));
  EXPECT_EQ(*values.keys("b/", "b/2", 10), Keys());
  EXPECT_EQ(*values.keys("b/", "z", 10), Keys());
  EXPECT_EQ(*values.keys("b/", "a", 10), (Keys{"b/1", "b/2"}));
  EXPECT_EQ(*values.keys("", "", 10), (Keys{"a/9", "b/1", "b/2", "c"}));
  ASSERT_TRUE(values.apply({{"b/1", std::nullopt}}).ok());
  EXPECT_EQ(*values.keys("b/", "", 10), (Keys{"b/2"}));
}

}  // namespace
}  // namespace lockstep::env

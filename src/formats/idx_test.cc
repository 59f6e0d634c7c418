// Tests of read_idx: each type by its bytes, each way to be wrong.
#include "formats/idx.h"

#include <gtest/gtest.h>

namespace lockstep::formats {
namespace {

using law::DType;

TEST(Idx, ReadsEachTypeBigEndian) {
  struct Case {
    uint8_t code;
    DType type;
    Bytes file, wanted;
  };
  const std::vector<Case> cases = {
      {0x08, DType::u8, {1, 255}, {1, 255}},
      {0x09, DType::i8, {1, 0x80}, {1, 0x80}},
      {0x0b, DType::i16, {1, 2, 3, 4}, {2, 1, 4, 3}},
      {0x0c, DType::i32, {1, 2, 3, 4, 5, 6, 7, 8}, {4, 3, 2, 1, 8, 7, 6, 5}},
      {0x0d,
       DType::f32,
       {0x3f, 0x80, 0, 0, 0xff, 0x80, 0, 1},
       {0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f}},
      {0x0e,
       DType::f64,
       {1, 2, 3, 4, 5, 6, 7, 8, 0x7f, 0xf0, 0, 0, 0, 0, 0, 9},
       {8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f}},
  };
  for (const Case& one : cases) {
    Bytes file = {0, 0, one.code, 1, 0, 0, 0, 2};
    file.insert(file.end(), one.file.begin(), one.file.end());
    const Result<law::Tensor> tensor = read_idx(file);
    ASSERT_TRUE(tensor.ok()) << tensor.error().message();
    EXPECT_EQ(tensor->shape, (law::Shape{one.type, {2}}));
    EXPECT_EQ(tensor->data, one.wanted);
  }
}

TEST(Idx, ReadsImages) {
  Bytes file = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6};
  const Result<law::Tensor> tensor = read_idx(file);
  ASSERT_TRUE(tensor.ok());
  EXPECT_EQ(tensor->shape.dims, (law::Dims{2, 3, 1}));
  EXPECT_EQ(tensor->data, (Bytes{1, 2, 3, 4, 5, 6}));
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(read_idx(ByteView(file).first(size)).ok()) << size;
  }
  file.push_back(0);
  const Result<law::Tensor> longer = read_idx(file);
  ASSERT_FALSE(longer.ok());
  EXPECT_EQ(longer.error().code, Code::bad_idx);
}

TEST(Idx, AcceptsAChangedByteOnlyInTheElementsOrAsAnotherShapeOfTheSameSize) {
  const Bytes file = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
  for (size_t at = 0; at < file.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes changed = file;
      changed[at] = static_cast<uint8_t>(value);
      const Result<law::Tensor> tensor = read_idx(changed);
      if (tensor.ok()) {
        EXPECT_EQ(tensor->data.size(), static_cast<uint64_t>(tensor->shape.bytes()));
        EXPECT_TRUE(changed[at] == file[at] || at >= 12 || at == 2);  // 9 is i8
      }
    }
  }
}

TEST(Idx, RefusesHugeDims) {
  Bytes file = {0, 0, 8, 8};
  file.resize(4 + 32, 0xff);
  EXPECT_FALSE(read_idx(file).ok());
  file[3] = 0;
  EXPECT_FALSE(read_idx(file).ok());
  file[3] = 9;
  file.resize(400);
  EXPECT_FALSE(read_idx(file).ok());
}

}  // namespace
}  // namespace lockstep::formats

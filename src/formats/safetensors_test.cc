// Tests of safetensors: golden bytes, round trips, and each way in which a header can lie.
#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lockstep::formats {
namespace {

using law::DType;

Bytes file_of(const std::string& header, size_t data_bytes) {
  Bytes bytes(8);
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<uint8_t>(uint64_t{header.size()} >> (8 * i));
  }
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.resize(bytes.size() + data_bytes, 1);
  return bytes;
}

bool is_refused(const std::string& header, size_t data_bytes) {
  const Result<std::vector<NamedTensor>> result = read_safetensors(file_of(header, data_bytes));
  return !result.ok() && result.error().code == Code::bad_safetensors;
}

std::vector<NamedTensor> examples() {
  std::vector<NamedTensor> tensors;
  for (uint8_t type = 0; type < law::dtype_count; ++type) {
    const law::Shape shape{static_cast<DType>(type), {3, type % 3}};
    tensors.push_back({"t" + std::to_string(type % 7) + std::to_string(type),
                       {shape, Bytes(static_cast<size_t>(shape.bytes()), 1)}});
  }
  tensors.push_back({"\"quoted\"\n\xc3\xa4", {{DType::f32, {}}, {0, 0, 0x80, 0x3f}}});
  return tensors;
}

TEST(Safetensors, WritesTheseBytes) {
  const std::vector<NamedTensor> tensors = {
      {"b", {{DType::u8, {2}}, {7, 8}}},
      {"a", {{DType::f32, {1}}, {1, 0, 0x80, 0xff}}},  // a NaN, not the canonical one
  };
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                             R"("b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}})";
  const size_t padded = (header.size() + 7) / 8 * 8;
  Bytes wanted = file_of(header + std::string(padded - header.size(), ' '), 0);
  wanted.insert(wanted.end(), {0, 0, 0xc0, 0x7f, 7, 8});
  const Result<Bytes> bytes = write_safetensors(tensors);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, wanted);
}

TEST(Safetensors, RoundTripSortsByNameAndKeepsEverything) {
  std::vector<NamedTensor> tensors = examples();
  const Result<Bytes> bytes = write_safetensors(tensors);
  ASSERT_TRUE(bytes.ok());
  const Result<std::vector<NamedTensor>> back = read_safetensors(*bytes);
  ASSERT_TRUE(back.ok()) << back.error().message();
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
    return a.name < b.name;
  });
  ASSERT_EQ(back->size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    EXPECT_EQ((*back)[i].name, tensors[i].name);
    EXPECT_EQ((*back)[i].tensor.shape, tensors[i].tensor.shape);
    EXPECT_EQ((*back)[i].tensor.data, tensors[i].tensor.data);
  }
  std::reverse(tensors.begin(), tensors.end());
  EXPECT_EQ(*write_safetensors(tensors), *bytes);
}

TEST(Safetensors, ReadsWhatOthersWrite) {
  const std::string header =
      R"({"__metadata__":{"format":"pt"}, "z":{"shape":[],"data_offsets":[0,8],"dtype":"I64"},)"
      R"("e":{"data_offsets":[8,8],"dtype":"F16","shape":[0,5]},)"
      R"("a":{"dtype":"BOOL","shape":[1,2],"data_offsets":[8,10]}}   )";
  const Result<std::vector<NamedTensor>> read = read_safetensors(file_of(header, 10));
  ASSERT_TRUE(read.ok()) << read.error().message();
  ASSERT_EQ(read->size(), 3U);
  EXPECT_EQ((*read)[0].name, "a");
  EXPECT_EQ((*read)[2].tensor.shape, (law::Shape{DType::i64, {}}));
  EXPECT_TRUE(read_safetensors(file_of("{}", 0)).ok());
}

TEST(Safetensors, CanonicalisesOnImport) {
  Bytes file = file_of(R"({"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})", 2);
  file[file.size() - 1] = 0xff;
  file[file.size() - 2] = 0x81;
  const Result<std::vector<NamedTensor>> read = read_safetensors(file);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->front().tensor.data, (Bytes{0xc0, 0x7f}));
}

TEST(Safetensors, RefusesLies) {
  const std::string a = R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  EXPECT_FALSE(is_refused("{" + a + "}", 2));
  const std::vector<std::pair<std::string, size_t>> lies = {
      {"{" + a + "}", 1},
      {"{" + a + "}", 3},
      {"{" + a + "," + a + "}", 2},
      {"{" + a + R"(,"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3},
      {"{" + a + R"(,"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2},
      {"{" + a + R"(,"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})", 5},
      {R"({"":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1,2]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,18446744073709551615]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,18446744073709551616]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[1099511627775,1099511627775],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"u8","shape":[2],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]},"b":{}})", 2},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"more":1}})", 2},
      {R"({"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[[2]],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":"U8","shape":[{}],"data_offsets":[0,2]}})", 2},
      {R"({"a":{"dtype":["U8"],"shape":[2],"data_offsets":[0,2]}})", 2},
      {R"({"a":null})", 0},
      {R"({"a":true})", 0},
      {R"({"a":[]})", 0},
      {R"({"a":"F32"})", 0},
      {R"({"__metadata__":{"a":1}})", 0},
      {R"({"__metadata__":{"a":{}}})", 0},
      {R"({"__metadata__":{},"__metadata__":{}})", 0},
      {" {}", 0},
      {"[]", 0},
      {"{} x", 0},
      {"{", 0},
      {"", 0},
      {"{\"\xff\":{}}", 0},
      {"{\"" + std::string(257, 'n') + "\":{}}", 0},
      {"{\"a\":" + std::string(1000000, '[') + "}", 0},
  };
  for (const auto& [header, size] : lies) {
    EXPECT_TRUE(is_refused(header, size)) << header.substr(0, 200);
  }
  Bytes not_boolean = file_of(R"({"a":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2);
  EXPECT_TRUE(read_safetensors(not_boolean).ok());
  not_boolean.back() = 2;
  EXPECT_FALSE(read_safetensors(not_boolean).ok());
}

TEST(Safetensors, RefusesAHeaderLengthBeyondTheFile) {
  Bytes file(16, 0xff);
  EXPECT_FALSE(read_safetensors(file).ok());
  file.assign(8, 0);
  EXPECT_FALSE(read_safetensors(file).ok());
}

TEST(Safetensors, SurvivesEveryTruncationAndChangedByte) {
  const Bytes file = *write_safetensors(examples());
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(read_safetensors(ByteView(file).first(size)).ok()) << size;
  }
  for (size_t at = 0; at < file.size(); ++at) {
    for (const int value : {0, 1, 0x20, int{'"'}, int{'0'}, int{'9'}, int{'{'}, 0x80, 0xff}) {
      Bytes changed = file;
      changed[at] = static_cast<uint8_t>(value);
      const Result<std::vector<NamedTensor>> read = read_safetensors(changed);
      if (!read.ok()) {
        EXPECT_EQ(read.error().code, Code::bad_safetensors);
        continue;
      }
      // What is accepted can be written and read again.
      EXPECT_TRUE(read_safetensors(*write_safetensors(*read)).ok());
    }
  }
}

TEST(Safetensors, RefusesToWriteWhatItWouldNotRead) {
  const law::Tensor tensor{{DType::u8, {1}}, {1}};
  using List = std::vector<NamedTensor>;
  EXPECT_FALSE(write_safetensors(List{{"", tensor}}).ok());
  EXPECT_FALSE(write_safetensors(List{{"__metadata__", tensor}}).ok());
  EXPECT_FALSE(write_safetensors(List{{"\xff", tensor}}).ok());
  EXPECT_FALSE(write_safetensors(List{{std::string(257, 'n'), tensor}}).ok());
  EXPECT_FALSE(write_safetensors(List{{"a", tensor}, {"a", tensor}}).ok());
}

}  // namespace
}  // namespace lockstep::formats

// Reads and writes safetensors. The header is parsed as events, so that hostile JSON costs no
// memory beyond the entries it really describes.
#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "base/check.h"
#include "codec/codec.h"

namespace lockstep::formats {
namespace {

using law::DType;
using Json = nlohmann::json;

constexpr const char* metadata_name = "__metadata__";
constexpr size_t header_alignment = 8;
constexpr std::array<std::pair<const char*, DType>, law::dtype_count> type_names = {{
    {"F32", DType::f32},
    {"F64", DType::f64},
    {"BF16", DType::bf16},
    {"F16", DType::f16},
    {"I8", DType::i8},
    {"I16", DType::i16},
    {"I32", DType::i32},
    {"I64", DType::i64},
    {"U8", DType::u8},
    {"U16", DType::u16},
    {"U32", DType::u32},
    {"U64", DType::u64},
    {"BOOL", DType::boolean},
}};

Error bad(std::string what, std::string where = {}) {
  return refuse(Code::bad_safetensors,
                std::move(what),
                "Write the file again with a safetensors library",
                std::move(where));
}

std::optional<DType> type_of(const std::string& name) {
  for (const auto& [text, type] : type_names) {
    if (name == text) {
      return type;
    }
  }
  return std::nullopt;
}

std::string text_of(DType type) {
  for (const auto& [text, candidate] : type_names) {
    if (candidate == type) {
      return text;
    }
  }
  CHECK(false);
  return {};
}

struct Entry {
  std::string name;
  law::Shape shape;
  uint64_t begin = 0, end = 0;
};

// The only JSON accepted: {name: {"dtype": string, "shape": [n…], "data_offsets": [n, n]}, …} and
// "__metadata__": {string: string, …}. Anything else stops the parser at once, so nesting is
// never deeper than three.
class HeaderEvents final : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return fail("null is no value of a header"); }
  bool boolean(bool) override { return fail("a boolean is no value of a header"); }
  bool number_integer(int64_t) override { return fail("a number is negative"); }
  bool number_float(double, const std::string&) override { return fail("a number is no integer"); }
  bool binary(Json::binary_t&) override { return fail("not JSON"); }

  bool number_unsigned(uint64_t number) override {
    if (place_ == Place::shape && entry_.shape.dims.size() < limits::rank_max &&
        number <= static_cast<uint64_t>(limits::elements_max)) {
      entry_.shape.dims.push_back(static_cast<int64_t>(number));
      return true;
    }
    if (place_ == Place::offsets && offsets_ < 2) {
      (offsets_ == 0 ? entry_.begin : entry_.end) = number;
      ++offsets_;
      return true;
    }
    return fail("a number is too large or too many, or stands where none belongs");
  }

  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      return true;
    }
    const std::optional<DType> type = type_of(text);
    if (place_ != Place::entry || key_ != "dtype" || !type) {
      return fail("unknown type or misplaced text");
    }
    entry_.shape.type = *type;
    return true;
  }

  bool start_object(size_t) override {
    if (place_ == Place::outside) {
      place_ = Place::top;
      return true;
    }
    if (place_ != Place::top) {
      return fail("an object stands where none belongs");
    }
    keys_.clear();
    place_ = key_ == metadata_name ? Place::metadata : Place::entry;
    offsets_ = 0;
    entry_ = Entry{key_, {}, 0, 0};
    return true;
  }

  bool key(std::string& text) override {
    key_ = text;
    if (place_ == Place::top) {
      return key_of_tensor();
    }
    if (place_ == Place::entry && key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
      return fail("unknown key");
    }
    return keys_.insert(key_).second || fail("a key stands twice");
  }

  bool end_object() override {
    if (place_ == Place::entry) {
      if (keys_.size() != 3 || offsets_ != 2) {
        return fail("dtype, shape and two data_offsets are needed");
      }
      entries_.push_back(std::move(entry_));
    }
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }

  bool start_array(size_t) override {
    if (place_ != Place::entry || key_ == "dtype") {
      return fail("a list stands where none belongs");
    }
    place_ = key_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }

  bool end_array() override {
    place_ = Place::entry;
    return true;
  }

  bool parse_error(size_t at, const std::string&, const Json::exception&) override {
    return fail("the header is not JSON at byte " + std::to_string(at));
  }

  [[nodiscard]] Error error() const { return bad(what_, where_); }
  std::vector<Entry>& entries() { return entries_; }

 private:
  enum class Place { outside, top, metadata, entry, shape, offsets };

  bool key_of_tensor() {
    if (key_.empty() || key_.size() > limits::name_bytes_max) {
      return fail("a name is empty or longer than 256 bytes");
    }
    if (names_.size() >= limits::leaves_max) {
      return fail("more than 65536 tensors");
    }
    return names_.insert(key_).second || fail("the name stands twice");
  }

  bool fail(std::string what) {
    what_ = std::move(what);
    where_ = place_ == Place::outside || place_ == Place::top ? key_ : entry_.name;
    where_.resize(std::min(where_.size(), limits::name_bytes_max));
    return false;
  }

  Place place_ = Place::outside;
  std::string key_;
  Entry entry_;
  int offsets_ = 0;
  std::set<std::string> names_, keys_;
  std::vector<Entry> entries_;
  std::string what_ = "the header is no JSON object", where_;
};

Result<std::vector<Entry>> read_header(ByteView header) {
  if (header.empty() || header[0] != '{') {
    return bad("the header does not begin with {");
  }
  HeaderEvents events;
  if (!Json::sax_parse(header.begin(), header.end(), &events)) {
    return events.error();
  }
  return std::move(events.entries());
}

// In the order of their bytes the tensors must cover the data exactly: no overlap, no hole.
Result<void> check_offsets(std::vector<Entry>& entries, size_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t cursor = 0;
  for (const Entry& entry : entries) {
    if (!law::valid(entry.shape).ok()) {
      return bad("shape " + law::text_of(entry.shape.dims) + " is too large", entry.name);
    }
    if (entry.begin != cursor) {
      return bad("its data overlaps another tensor's or leaves a hole", entry.name);
    }
    if (entry.end < entry.begin || entry.end > data_bytes) {
      return bad("its data_offsets are outside the file", entry.name);
    }
    if (entry.end - entry.begin != static_cast<uint64_t>(entry.shape.bytes())) {
      return bad("its data_offsets do not fit its shape and type", entry.name);
    }
    cursor = entry.end;
  }
  if (cursor != data_bytes) {
    return bad("bytes after the last tensor");
  }
  return {};
}

Result<std::vector<const NamedTensor*>> sorted(std::span<const NamedTensor> tensors) {
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name.empty() || tensor.name.size() > limits::name_bytes_max ||
        tensor.name == metadata_name) {
      return bad("a name is empty, longer than 256 bytes or reserved", tensor.name);
    }
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const NamedTensor* a, const NamedTensor* b) {
    return a->name < b->name;
  });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->name == order[i - 1]->name) {
      return bad("the name stands twice", order[i]->name);
    }
  }
  return order;
}

// The JSON text of a name; nothing when it is not UTF-8, which the library tells by throwing.
std::optional<std::string> quoted(const std::string& name) {
  try {
    return Json(name).dump();
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

Result<std::vector<NamedTensor>> read_safetensors(ByteView bytes) {
  codec::Reader reader(bytes);
  const Result<uint64_t> size = reader.number<uint64_t>();
  if (!size.ok() || *size > reader.left() || *size > limits::safetensors_header_bytes_max) {
    return bad("the header is cut off or longer than 100 MiB");
  }
  const size_t header_bytes = static_cast<size_t>(*size);
  const ByteView header = TRY(reader.raw(header_bytes));
  std::vector<Entry> entries = TRY(read_header(header));
  const ByteView data = TRY(reader.raw(reader.left()));
  TRY(check_offsets(entries, data.size()));
  std::vector<NamedTensor> tensors;
  for (Entry& entry : entries) {
    const ByteView view = data.subspan(static_cast<size_t>(entry.begin),
                                       static_cast<size_t>(entry.end - entry.begin));
    const bool is_boolean = entry.shape.type == DType::boolean;
    if (is_boolean && std::any_of(view.begin(), view.end(), [](uint8_t b) { return b > 1; })) {
      return bad("a boolean is neither 0 nor 1", entry.name);
    }
    law::Tensor tensor{std::move(entry.shape), Bytes(view.begin(), view.end())};
    law::canonicalise(tensor);
    tensors.push_back({std::move(entry.name), std::move(tensor)});
  }
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) {
    return a.name < b.name;
  });
  return tensors;
}

Result<Bytes> write_safetensors(std::span<const NamedTensor> tensors) {
  const std::vector<const NamedTensor*> order = TRY(sorted(tensors));
  // Written by hand, so that neither a library's key order nor its spacing is in the bytes.
  std::string header = "{";
  uint64_t offset = 0;
  for (const NamedTensor* named : order) {
    const law::Tensor& tensor = named->tensor;
    CHECK(tensor.data.size() == static_cast<uint64_t>(tensor.shape.bytes()));
    const std::optional<std::string> name = quoted(named->name);
    if (!name) {
      return bad("a name is not UTF-8");
    }
    std::string dims;
    for (const int64_t dim : tensor.shape.dims) {
      dims += (dims.empty() ? "" : ",") + std::to_string(dim);
    }
    const uint64_t end = offset + tensor.data.size();
    header += (header.size() > 1 ? "," : "") + *name + R"(:{"dtype":")" +
              text_of(tensor.shape.type) + R"(","shape":[)" + dims + R"(],"data_offsets":[)" +
              std::to_string(offset) + "," + std::to_string(end) + "]}";
    offset = end;
  }
  header += "}";
  header.resize((header.size() + header_alignment - 1) / header_alignment * header_alignment, ' ');
  codec::Writer writer;
  writer.number(uint64_t{header.size()});
  writer.raw(ByteView(reinterpret_cast<const uint8_t*>(header.data()), header.size()));
  for (const NamedTensor* named : order) {
    law::Tensor canonical = named->tensor;
    law::canonicalise(canonical);
    writer.raw(canonical.data);
  }
  return std::move(writer).bytes();
}

}  // namespace lockstep::formats

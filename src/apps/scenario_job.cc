#include "apps/scenario_job.h"

namespace lockstep::apps {
namespace {

constexpr uint32_t side = 6;
constexpr uint32_t classes = 3;
constexpr uint32_t images = 60;
constexpr uint32_t blob_images = 20;

/// A protobuf message, field by field: as much of the format as an ONNX file of dense layers needs.
class Message {
 public:
  Message& number(uint32_t field, uint64_t value) {
    varint(uint64_t{field} << 3);
    varint(value);
    return *this;
  }
  Message& bytes(uint32_t field, ByteView value) {
    varint(uint64_t{field} << 3 | 2);
    varint(value.size());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  Message& text(uint32_t field, const std::string& value) {
    return bytes(field, {reinterpret_cast<const uint8_t*>(value.data()), value.size()});
  }
  Message& message(uint32_t field, const Message& value) { return bytes(field, value.bytes_); }
  [[nodiscard]] const Bytes& get() const { return bytes_; }

 private:
  void varint(uint64_t value) {
    constexpr uint64_t more = 0x80;
    while (value >= more) {
      bytes_.push_back(static_cast<uint8_t>(value | more));
      value >>= 7;
    }
    bytes_.push_back(static_cast<uint8_t>(value));
  }
  Bytes bytes_;
};

uint32_t next(uint32_t& seed) {
  seed = seed * 1664525 + 1013904223;
  return seed >> 16;
}

/// An initial weight: small, and the same for ever.
Message weight(const std::string& name, const std::vector<uint64_t>& dims, uint32_t seed) {
  constexpr uint32_t range = 256;
  constexpr float scale = 1.0F / 512;
  Message tensor;
  uint64_t count = 1;
  for (const uint64_t dim : dims) {
    tensor.number(1, dim);
    count *= dim;
  }
  Bytes raw(count * sizeof(float));
  for (uint64_t i = 0; i < count; ++i) {
    const float value = (static_cast<float>(next(seed) % range) - range / 2.0F) * scale;
    std::memcpy(raw.data() + i * sizeof value, &value, sizeof value);
  }
  constexpr uint64_t f32 = 1;
  return tensor.number(2, f32).text(8, name).bytes(9, raw);
}

Message value_info(const std::string& name, const std::vector<uint64_t>& dims) {
  Message shape;
  shape.message(1, Message().text(2, "N"));
  for (const uint64_t dim : dims) {
    shape.message(1, Message().number(1, dim));
  }
  const Message tensor = Message().number(1, 1).message(2, shape);
  return Message().text(1, name).message(2, Message().message(1, tensor));
}

Message node(const std::string& kind,
             const std::vector<std::string>& inputs,
             const std::string& output) {
  Message node;
  for (const std::string& input : inputs) {
    node.text(1, input);
  }
  return node.text(2, output).text(3, "the " + output).text(4, kind);
}

Bytes onnx() {
  constexpr uint64_t hidden = 6;
  constexpr uint64_t ir_version = 7;
  constexpr uint64_t opset = 13;
  Message graph;
  graph.message(1, node("Flatten", {"image"}, "flat"))
      .message(1, node("Gemm", {"flat", "w1", "b1"}, "hidden"))
      .message(1, node("Relu", {"hidden"}, "active"))
      .message(1, node("Gemm", {"active", "w2", "b2"}, "logits"))
      .text(2, "tiny")
      .message(5, weight("w1", {uint64_t{side} * side, hidden}, 1))
      .message(5, weight("b1", {hidden}, 2))
      .message(5, weight("w2", {hidden, classes}, 3))
      .message(5, weight("b2", {classes}, 4))
      .message(11, value_info("image", {1, side, side}))
      .message(12, value_info("logits", {classes}));
  return Message()
      .number(1, ir_version)
      .message(7, graph)
      .message(8, Message().text(1, "").number(2, opset))
      .get();
}

Bytes idx(const std::vector<uint32_t>& dims, uint32_t modulus, uint32_t seed) {
  Bytes bytes{0, 0, 8, static_cast<uint8_t>(dims.size())};
  uint32_t count = 1;
  for (const uint32_t dim : dims) {
    count *= dim;
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<uint8_t>(dim >> shift));
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    bytes.push_back(static_cast<uint8_t>(next(seed) % modulus));
  }
  return bytes;
}

}  // namespace

model::JobSpec scenario_job(const model::Scenario& scenario) {
  model::JobSpec spec;
  spec.name = "scenario";
  spec.model = "model.onnx";
  spec.data = {model::DataFormat::idx, "images", "labels", "", "", blob_images, 1};
  spec.train.rounds = 3;
  spec.train.lanes = 2;
  spec.train.batch = 2;
  spec.train.local_steps = 10;
  spec.train.claim_every = scenario.claim_every;
  spec.train.lr.warmup_steps = 2;
  spec.resources.memory_bytes = 1'000'000'000;  // more than the smallest machine has
  spec.verify = scenario.verify;
  spec.finality = scenario.finality;
  return spec;
}

Result<Bytes> ScenarioFiles::read(const std::string& path, size_t bytes_max) {
  Bytes bytes;
  if (path == "model.onnx") {
    bytes = onnx();
  } else if (path == "images") {
    bytes = idx({images, side, side}, 256, 1);
  } else if (path == "labels") {
    bytes = idx({images}, classes, 2);
  } else {
    return refuse(Code::file_not_found, "no such file", {}, path);
  }
  if (bytes.size() > bytes_max) {
    return refuse(Code::too_large, "too large", {}, path);
  }
  return bytes;
}

Result<void> ScenarioFiles::write(const std::string& path, ByteView /*bytes*/) {
  return refuse(Code::io_failed, "scenarios write nothing", {}, path);
}

}  // namespace lockstep::apps

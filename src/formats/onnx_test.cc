// Tests of the ONNX import: the example model, layouts, and logits against a plain reference in the
// file's own layout.
#include "formats/onnx.h"

#include <gtest/gtest.h>

#include <bit>
#include <fstream>
#include <functional>
#include <iterator>

#include "formats/onnx_test_file.h"
#include "law/interpret.h"

namespace lockstep::formats {
namespace {

using namespace onnx_testing;  // NOLINT(google-build-using-namespace)

Bytes example_model() {
  std::ifstream file(LOCKSTEP_SOURCE_DIR "/examples/fashion-mnist/model.onnx", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

float f32_at(const law::Tensor& tensor, int64_t at) {
  return std::bit_cast<float>(static_cast<uint32_t>(law::load_bits(DType::f32, tensor.data, at)));
}

// An image or features in the file's own order, for the reference.
struct Plain {
  int64_t n, c, h, w;
  std::vector<double> at;
  [[nodiscard]] double get(int64_t i, int64_t j, int64_t y, int64_t x) const {
    return at[static_cast<size_t>(((i * c + j) * h + y) * w + x)];
  }
};

struct Window {
  int64_t kh, kw, sh = 1, sw = 1, top = 0, left = 0, bottom = 0, right = 0, dh = 1, dw = 1;
  int64_t groups = 1;
};

Plain slide(const Plain& in,
            int64_t channels,
            const Window& k,
            const std::function<double(int64_t, int64_t, int64_t, int64_t)>& one) {
  Plain out{in.n,
            channels,
            (in.h + k.top + k.bottom - k.dh * (k.kh - 1) - 1) / k.sh + 1,
            (in.w + k.left + k.right - k.dw * (k.kw - 1) - 1) / k.sw + 1,
            {}};
  for (int64_t i = 0; i < out.n * channels * out.h * out.w; ++i) {
    const int64_t x = i % out.w, y = i / out.w % out.h, c = i / (out.w * out.h) % channels;
    out.at.push_back(one(i / (out.w * out.h * channels), c, y * k.sh - k.top, x * k.sw - k.left));
  }
  return out;
}

bool inside(const Plain& in, int64_t y, int64_t x) {
  return y >= 0 && y < in.h && x >= 0 && x < in.w;
}

Plain conv(const Plain& in, const law::Tensor& weight, const law::Tensor* bias, const Window& k) {
  const int64_t co = weight.shape.dims[0], ci = weight.shape.dims[1];
  return slide(in, co, k, [&](int64_t n, int64_t c, int64_t y0, int64_t x0) {
    double sum = bias == nullptr ? 0 : f32_at(*bias, c);
    for (int64_t tap = 0; tap < ci * k.kh * k.kw; ++tap) {
      const int64_t x = x0 + tap % k.kw * k.dw, y = y0 + tap / k.kw % k.kh * k.dh;
      const int64_t from = c / (co / k.groups) * ci + tap / (k.kw * k.kh);
      sum +=
          inside(in, y, x) ? in.get(n, from, y, x) * f32_at(weight, c * ci * k.kh * k.kw + tap) : 0;
    }
    return sum;
  });
}

Plain max_pool(const Plain& in, const Window& k) {
  return slide(in, in.c, k, [&](int64_t n, int64_t c, int64_t y0, int64_t x0) {
    double best = -1e300;
    for (int64_t tap = 0; tap < k.kh * k.kw; ++tap) {
      const int64_t x = x0 + tap % k.kw, y = y0 + tap / k.kw;
      best = inside(in, y, x) ? std::max(best, in.get(n, c, y, x)) : best;
    }
    return best;
  });
}

Plain relu(Plain in) {
  for (double& value : in.at) {
    value = std::max(value, 0.0);
  }
  return in;
}

Plain dense(const Plain& in, const law::Tensor& w, const law::Tensor* bias, bool transposed) {
  const int64_t count = in.c * in.h * in.w;
  Plain out{in.n, w.shape.count() / count, 1, 1, {}};
  for (int64_t i = 0; i < out.n * out.c; ++i) {
    const int64_t o = i % out.c;
    double sum = bias == nullptr ? 0 : f32_at(*bias, o);
    for (int64_t k = 0; k < count; ++k) {
      sum += in.at[static_cast<size_t>(i / out.c * count + k)] *
             f32_at(w, transposed ? o * count + k : k * out.c + o);
    }
    out.at.push_back(sum);
  }
  return out;
}

// The model's parameters as the file has them, by name.
law::Tensor plain_parameter(const Model& model, const std::string& name) {
  for (size_t i = 0; i < model.parameters().size(); ++i) {
    if (model.parameters()[i].name == name) {
      return model.to_onnx_layout(i, model.parameters()[i].tensor);
    }
  }
  ADD_FAILURE() << name;
  return {};
}

constexpr int64_t batch = 3;

Plain image_of(const Model& model) {
  const Dims& hwc = model.image_dims();
  Plain image{batch, hwc[2], hwc[0], hwc[1], {}};
  for (int64_t i = 0; i < batch * law::count_of(hwc); ++i) {
    image.at.push_back(small_number(static_cast<uint64_t>(i)));
  }
  return image;
}

// Runs the emitted program on image_of(model) with the law.
void expect_logits(const Model& model, const Plain& wanted) {
  const Plain image = image_of(model);
  std::vector<law::Tensor> tensors;
  law::Tensor x{model.input_shape(batch), {}};
  x.data.resize(static_cast<size_t>(x.shape.bytes()));
  for (int64_t i = 0; i < x.shape.count(); ++i) {
    const int64_t c = i % image.c, w = i / image.c % image.w, h = i / image.c / image.w % image.h;
    const auto value = static_cast<float>(image.get(i / image.c / image.w / image.h, c, h, w));
    law::store_bits(DType::f32, x.data, i, std::bit_cast<uint32_t>(value));
  }
  graph::Builder builder;
  std::vector<graph::Value> params;
  for (const Parameter& parameter : model.parameters()) {
    params.push_back(builder.constant(parameter.tensor));
  }
  const graph::Value image_leaf = builder.leaf("image", x.shape);
  const Result<graph::Value> logits = model.emit(builder, image_leaf, params);
  ASSERT_TRUE(logits.ok()) << logits.error().message();
  const law::Shape shape = builder.shape(*logits);
  ASSERT_EQ(shape, (law::Shape{DType::f32, {batch, model.classes()}}));
  builder.set_next(builder.leaf("logits", shape), *logits);
  const Result<graph::Built> built = builder.finish();
  ASSERT_TRUE(built.ok()) << built.error().message();
  for (const law::Leaf& leaf : built->program.leaves) {
    tensors.push_back(
        leaf.name == "image" ? x : law::Tensor{shape, Bytes(static_cast<size_t>(shape.bytes()))});
  }
  const std::vector<law::Tensor> next =
      law::run_step(built->program, tensors, built->constants, nullptr);
  const law::Tensor& got = next.back();
  ASSERT_EQ(static_cast<size_t>(got.shape.count()), wanted.at.size());
  for (size_t i = 0; i < wanted.at.size(); ++i) {
    EXPECT_NEAR(f32_at(got, static_cast<int64_t>(i)), wanted.at[i], 1e-4) << i;
  }
}

Model imported(const Bytes& bytes) {
  Result<Model> model = Model::import(bytes);
  if (!model.ok()) {
    ADD_FAILURE() << model.error().message();
    std::abort();
  }
  return std::move(*model);
}

TEST(Onnx, ReadsTheExample) {
  const Model model = imported(example_model());
  EXPECT_EQ(model.input_name(), "image");
  EXPECT_EQ(model.input_shape(7), (law::Shape{DType::f32, {7, 28, 28, 1}}));
  EXPECT_EQ(model.classes(), 10);
  const std::vector<std::pair<std::string, Dims>> wanted = {
      {"conv1.weight", {3, 3, 1, 8}},
      {"conv1.bias", {8}},
      {"conv2.weight", {3, 3, 8, 16}},
      {"conv2.bias", {16}},
      {"fc1.weight", {784, 64}},
      {"fc1.bias", {64}},
      {"fc2.weight", {64, 10}},
      {"fc2.bias", {10}},
  };
  ASSERT_EQ(model.parameters().size(), wanted.size());
  int64_t count = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(model.parameters()[i].name, wanted[i].first);
    EXPECT_EQ(model.parameters()[i].tensor.shape, (law::Shape{DType::f32, wanted[i].second}));
    count += model.parameters()[i].tensor.shape.count();
  }
  EXPECT_EQ(count, 52138);
  const auto p = [&](const char* name) { return plain_parameter(model, name); };
  const law::Tensor b1 = p("conv1.bias"), b2 = p("conv2.bias"), b3 = p("fc1.bias"),
                    b4 = p("fc2.bias");
  const Window pool{.kh = 2, .kw = 2, .sh = 2, .sw = 2};
  const Window three{.kh = 3, .kw = 3, .top = 1, .left = 1, .bottom = 1, .right = 1};
  Plain x = max_pool(relu(conv(image_of(model), p("conv1.weight"), &b1, three)), pool);
  x = max_pool(relu(conv(x, p("conv2.weight"), &b2, three)), pool);
  expect_logits(model,
                dense(relu(dense(x, p("fc1.weight"), &b3, true)), p("fc2.weight"), &b4, true));
}

TEST(Onnx, ParametersGoBackAsTheyCame) {
  const Bytes bytes = example_model();
  const Model model = imported(bytes);
  ModelProto proto;
  ASSERT_TRUE(proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  for (const TensorProto& tensor : proto.graph().initializer()) {
    const law::Tensor back = plain_parameter(model, tensor.name());
    EXPECT_EQ(back.shape.dims, Dims(tensor.dims().begin(), tensor.dims().end()));
    EXPECT_EQ(std::string(back.data.begin(), back.data.end()), tensor.raw_data());
  }
}

TEST(Onnx, EveryWindowAttributeMeansWhatTheFormatSays) {
  File file({4, 7, 9});
  file.weight("w1", {6, 2, 3, 2}).weight("w2", {10, 5});
  file.node("Conv",
            {"image", "w1"},
            "conv",
            {{"pads", {2, 0, 1, 3}}, {"strides", {2, 1}}, {"dilations", {1, 2}}, {"group", {2}}});
  file.node("MaxPool",
            {"conv"},
            "pool",
            {{"kernel_shape", {2, 3}}, {"strides", {1, 3}}, {"pads", {1, 2, 0, 1}}});
  file.node("Flatten", {"pool"}, "flat");
  file.output("flat");
  const Model model = imported(file.bytes());
  const Window w1{3, 2, 2, 1, 2, 0, 1, 3, 1, 2, 2};
  const Window w2{2, 3, 1, 3, 1, 2, 0, 1};
  // The output is flat and never went through a dense layer: it is put into the file's order.
  expect_logits(model,
                max_pool(conv(image_of(model), plain_parameter(model, "w1"), nullptr, w1), w2));
  EXPECT_EQ(model.parameters().size(), 1U);  // w2 reaches nothing
}

TEST(Onnx, MatMulAddReshapeIdentityAndConstant) {
  File file({2, 3, 2});
  file.weight("w", {12, 5}).weight("b", {1, 5}).weight("v", {5, 4}).shape("shape", {0, -1});
  NodeProto* constant = file.proto.mutable_graph()->add_node();
  constant->set_op_type("Constant");
  constant->add_output("c");
  AttributeProto* attribute = constant->add_attribute();
  attribute->set_name("value");
  attribute->set_type(AttributeProto::TENSOR);
  *attribute->mutable_t() = File().weight("c", {4}).proto.graph().initializer(0);
  file.node("Identity", {"w"}, "same w").node("Relu", {"image"}, "relu");
  file.node("Reshape", {"relu", "shape"}, "flat").node("MatMul", {"flat", "same w"}, "mm");
  file.node("Add", {"b", "mm"}, "sum").node("Flatten", {"sum"}, "sum flat", {{"axis", {1}}});
  file.node("Gemm", {"sum flat", "v", "c"}, "logits").output("logits");
  const Model model = imported(file.bytes());
  const auto p = [&](const char* name) { return plain_parameter(model, name); };
  const law::Tensor b = p("b"), c = p("c");
  EXPECT_EQ(b.shape.dims, (Dims{1, 5}));
  expect_logits(model, dense(dense(relu(image_of(model)), p("w"), &b, false), p("v"), &c, false));
}

TEST(Onnx, EmitRefusesOtherShapes) {
  const Model model = imported(small_classifier().bytes());
  graph::Builder builder;
  const graph::Value x = builder.leaf("x", model.input_shape(2));
  const graph::Value other = builder.leaf("y", law::Shape{DType::f32, {2, 4, 6, 3}});
  std::vector<graph::Value> params;
  for (const Parameter& parameter : model.parameters()) {
    params.push_back(builder.leaf(parameter.name, parameter.tensor.shape));
  }
  EXPECT_TRUE(model.emit(builder, x, params).ok());
  EXPECT_FALSE(model.emit(builder, other, params).ok());
  EXPECT_FALSE(model.emit(builder, x, std::span(params).first(3)).ok());
  std::swap(params[0], params[1]);
  const Result<graph::Value> swapped = model.emit(builder, x, params);
  ASSERT_FALSE(swapped.ok());
  EXPECT_EQ(swapped.error().code, Code::bad_graph);
  EXPECT_EQ(swapped.error().where, "w1");
}

}  // namespace
}  // namespace lockstep::formats

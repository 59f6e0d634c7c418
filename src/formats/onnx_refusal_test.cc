// Tests of the ways in which an ONNX file is refused, and of what its text says.
#include <gtest/gtest.h>

#include <functional>

#include "formats/onnx.h"
#include "formats/onnx_test_file.h"

namespace lockstep::formats {
namespace {

using namespace onnx_testing;  // NOLINT(google-build-using-namespace)

void expect_refused(const File& file, Code code, const std::string& part) {
  const Result<Model> model = Model::import(file.bytes());
  ASSERT_FALSE(model.ok()) << part;
  EXPECT_EQ(model.error().code, code) << model.error().message();
  EXPECT_NE(model.error().message().find(part), std::string::npos) << model.error().message();
}

TEST(OnnxRefusal, ReshapesToTheBatchOnly) {
  for (const Dims& dims : {Dims{0, -1}, Dims{-1, 48}, Dims{0, 48}}) {
    File file;
    file.shape("s", dims).node("Reshape", {"image", "s"}, "flat").output("flat");
    EXPECT_TRUE(Model::import(file.bytes()).ok()) << law::text_of(dims);
  }
  for (const Dims& dims : {Dims{1, -1}, Dims{-1, -1}, Dims{-1, 24}, Dims{-1}, Dims{0, 2, -1}}) {
    File file;
    file.shape("s", dims).node("Reshape", {"image", "s"}, "flat").output("flat");
    expect_refused(file, Code::unsupported_onnx, "node 'the flat' (Reshape)");
  }
  File fixed;
  fixed.proto.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(8);
  fixed.shape("s", {8, -1}).node("Reshape", {"image", "s"}, "flat").output("flat");
  EXPECT_TRUE(Model::import(fixed.bytes()).ok());
}

TEST(OnnxRefusal, NamesEveryUnsupportedOperatorAtOnce) {
  File file = small_classifier();
  file.node("Softmax", {"logits"}, "a").node("LSTM", {"a"}, "b").node("Softmax", {"b"}, "c");
  file.proto.mutable_graph()->mutable_node(7)->set_domain("com.example");
  expect_refused(file,
                 Code::unsupported_onnx,
                 "node 'the a' (Softmax): operators that are not supported: LSTM, Softmax, "
                 "com.example.Softmax. Supported are Add, Constant, Conv, Flatten, Gemm,");
}

TEST(OnnxRefusal, RefusesAWrongNode) {
  struct Case {
    Code code;
    std::string part;
    std::function<void(File&)> spoil;
  };
  const auto at = [](File& file, int node) {
    return file.proto.mutable_graph()->mutable_node(node);
  };
  const auto add_int = [](NodeProto* node, const char* name, int64_t value) {
    AttributeProto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(AttributeProto::INT);
    attribute->set_i(value);
  };
  const std::vector<Case> cases = {
      {Code::bad_onnx, "not sorted", [&](File& f) { at(f, 0)->set_input(0, "relu"); }},
      {Code::bad_onnx,
       "'the conv' (Conv): reads x, which nothing makes",
       [&](File& f) { at(f, 0)->set_input(0, "x"); }},
      {Code::bad_onnx, "conv is defined twice", [&](File& f) { at(f, 1)->set_output(0, "conv"); }},
      {Code::bad_onnx, "no output", [&](File& f) { at(f, 1)->clear_output(); }},
      {Code::unsupported_onnx,
       "a second output",
       [&](File& f) { at(f, 2)->add_output("indices"); }},
      {Code::unsupported_onnx, "not printable", [&](File& f) { at(f, 1)->set_output(0, "\n"); }},
      {Code::unsupported_onnx,
       "ceil_mode = 1",
       [&](File& f) { add_int(at(f, 2), "ceil_mode", 1); }},
      {Code::unsupported_onnx, "attribute new", [&](File& f) { add_int(at(f, 1), "new", 1); }},
      {Code::bad_onnx, "transB stands twice", [&](File& f) { add_int(at(f, 4), "transB", 1); }},
      {Code::unsupported_onnx, "transA = 1", [&](File& f) { add_int(at(f, 4), "transA", 1); }},
      {Code::bad_onnx, "alpha has the wrong type", [&](File& f) { add_int(at(f, 4), "alpha", 1); }},
      {Code::bad_onnx,
       "does not fit 18 features",
       [&](File& f) { at(f, 4)->mutable_attribute(0)->set_i(0); }},
      {Code::bad_onnx, "do not agree", [&](File& f) { add_int(at(f, 0), "group", 2); }},
      {Code::bad_onnx, "is 0", [&](File& f) { at(f, 2)->mutable_attribute(1)->set_ints(1, 0); }},
      {Code::unsupported_onnx,
       "negative or beyond",
       [&](File& f) { at(f, 0)->mutable_attribute(0)->set_ints(0, INT64_MAX); }},
      {Code::unsupported_onnx,
       "must have 4 numbers",
       [&](File& f) { at(f, 0)->mutable_attribute(0)->add_ints(0); }},
      {Code::bad_onnx,
       "window is larger",
       [&](File& f) { at(f, 2)->mutable_attribute(0)->set_ints(0, 5); }},
      {Code::bad_onnx, "reads an image", [&](File& f) { at(f, 4)->set_input(0, "pool"); }},
      {Code::bad_onnx,
       "flat value",
       [&](File& f) {
         f.node("MaxPool", {"flat"}, "p", {{"kernel_shape", {1, 1}}});
       }},
      {Code::unsupported_onnx,
       "must be a constant",
       [&](File& f) { at(f, 4)->set_input(1, "flat"); }},
      {Code::unsupported_onnx,
       "computes on a constant",
       [&](File& f) { at(f, 1)->set_input(0, "b1"); }},
      {Code::unsupported_onnx,
       "only a constant bias",
       [&](File& f) {
         f.node("Add", {"logits", "b2"}, "more");
       }},
      {Code::unsupported_onnx,
       "must be a constant",
       [&](File& f) {
         f.node("MatMul", {"flat", "flat"}, "more");
       }},
      {Code::unsupported_onnx, "a bias of dims", [&](File& f) { at(f, 4)->set_input(2, "b1"); }},
      {Code::bad_onnx, "inputs", [&](File& f) { at(f, 1)->add_input("image"); }},
      {Code::unsupported_onnx,
       "attribute body",
       [&](File& f) {
         AttributeProto* body = at(f, 1)->add_attribute();
         body->set_name("body");
         body->set_type(AttributeProto::GRAPH);
         body->mutable_g()->set_name("loop");
       }},
  };
  for (const Case& one : cases) {
    File file = small_classifier();
    one.spoil(file);
    expect_refused(file, one.code, one.part);
  }
}

TEST(OnnxRefusal, RefusesAWrongGraph) {
  struct Case {
    Code code;
    std::string part;
    std::function<void(ModelProto&)> spoil;
  };
  const auto first = [](ModelProto& m) { return m.mutable_graph()->mutable_initializer(0); };
  const auto dims = [](ModelProto& m) {
    return m.mutable_graph()
        ->mutable_input(0)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape();
  };
  const std::vector<Case> cases = {
      {Code::bad_onnx, "graph or ir_version", [](ModelProto& m) { m.clear_graph(); }},
      {Code::bad_onnx, "graph or ir_version", [](ModelProto& m) { m.clear_ir_version(); }},
      {Code::bad_onnx, "exactly once", [](ModelProto& m) { m.clear_opset_import(); }},
      {Code::unsupported_onnx,
       "opset 8",
       [](ModelProto& m) { m.mutable_opset_import(0)->set_version(8); }},
      {Code::unsupported_onnx,
       "opset 22",
       [](ModelProto& m) { m.mutable_opset_import(0)->set_version(22); }},
      {Code::unsupported_onnx, "functions", [](ModelProto& m) { m.add_functions(); }},
      {Code::unsupported_onnx,
       "sparse",
       [](ModelProto& m) { m.mutable_graph()->add_sparse_initializer(); }},
      {Code::unsupported_onnx,
       "'w1': its data is in another file",
       [&](ModelProto& m) { first(m)->set_data_location(TensorProto::EXTERNAL); }},
      {Code::unsupported_onnx,
       "another file",
       [&](ModelProto& m) { first(m)->add_external_data(); }},
      {Code::unsupported_onnx, "segments", [&](ModelProto& m) { first(m)->mutable_segment(); }},
      {Code::unsupported_onnx,
       "FLOAT16",
       [&](ModelProto& m) { first(m)->set_data_type(TensorProto::FLOAT16); }},
      {Code::bad_onnx,
       "unknown element type 99",
       [&](ModelProto& m) { first(m)->set_data_type(99); }},
      {Code::bad_onnx,
       "unknown element type 0",
       [&](ModelProto& m) { first(m)->clear_data_type(); }},
      {Code::bad_onnx,
       "more than one field",
       [&](ModelProto& m) { first(m)->set_raw_data("1234"); }},
      {Code::bad_onnx,
       "need 216 bytes, the file has 4",
       [&](ModelProto& m) {
         first(m)->clear_float_data();
         first(m)->set_raw_data("1234");
       }},
      {Code::bad_onnx, "too large", [&](ModelProto& m) { first(m)->set_dims(0, INT64_MAX); }},
      {Code::bad_onnx, "negative", [&](ModelProto& m) { first(m)->set_dims(0, -3); }},
      {Code::bad_onnx, "defined twice", [&](ModelProto& m) { first(m)->set_name("b1"); }},
      {Code::unsupported_onnx, "empty", [&](ModelProto& m) { first(m)->clear_name(); }},
      {Code::unsupported_onnx,
       "dim 2 is not fixed",
       [&](ModelProto& m) { dims(m)->mutable_dim(2)->set_dim_param("H"); }},
      {Code::unsupported_onnx,
       "dim 2 is not positive",
       [&](ModelProto& m) { dims(m)->mutable_dim(2)->set_dim_value(0); }},
      {Code::unsupported_onnx,
       "too large",
       [&](ModelProto& m) { dims(m)->mutable_dim(2)->set_dim_value(INT64_MAX); }},
      {Code::unsupported_onnx,
       "[batch, channels, height, width]",
       [&](ModelProto& m) { dims(m)->add_dim(); }},
      {Code::bad_onnx, "no input", [](ModelProto& m) { m.mutable_graph()->clear_input(); }},
      {Code::unsupported_onnx,
       "a second input",
       [](ModelProto& m) { m.mutable_graph()->add_input()->set_name("more"); }},
      {Code::unsupported_onnx,
       "exactly one output",
       [](ModelProto& m) { m.mutable_graph()->clear_output(); }},
      {Code::bad_onnx,
       "no node makes it",
       [](ModelProto& m) { m.mutable_graph()->mutable_output(0)->set_name("x"); }},
      {Code::unsupported_onnx,
       "it is an image",
       [](ModelProto& m) { m.mutable_graph()->mutable_output(0)->set_name("pool"); }},
      {Code::bad_onnx,
       "[batch, 4]",
       [](ModelProto& m) {
         m.mutable_graph()
             ->mutable_output(0)
             ->mutable_type()
             ->mutable_tensor_type()
             ->mutable_shape()
             ->add_dim();
       }},
  };
  for (const Case& one : cases) {
    File file = small_classifier();
    one.spoil(file.proto);
    expect_refused(file, one.code, one.part);
  }
}

TEST(OnnxRefusal, ASharedTensorMustBeReadInOneOrder) {
  File file({4, 2, 2});
  file.weight("w", {16, 16}).node("Flatten", {"image"}, "flat").node("MatMul", {"flat", "w"}, "a");
  file.node("MatMul", {"a", "w"}, "b").output("b");
  expect_refused(file, Code::unsupported_onnx, "'the b' (MatMul): shares a tensor");
  File same({16, 1, 1});
  same.weight("w", {16, 16}).node("Flatten", {"image"}, "flat").node("MatMul", {"flat", "w"}, "a");
  same.node("MatMul", {"a", "w"}, "b").output("b");
  EXPECT_TRUE(Model::import(same.bytes()).ok());
}

TEST(OnnxRefusal, SurvivesEveryTruncationAndChangedByte) {
  const Bytes bytes = small_classifier().bytes();
  const auto is_ours = [](const Result<Model>& model) {
    return model.ok() || model.error().code == Code::bad_onnx ||
           model.error().code == Code::unsupported_onnx;
  };
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Result<Model> model = Model::import(ByteView(bytes).first(size));
    EXPECT_TRUE(is_ours(model));
    EXPECT_TRUE(!model.ok() || size > bytes.size() - 10) << size;
  }
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = bytes;
      changed[at] = static_cast<uint8_t>(changed[at] ^ (1 << bit));
      EXPECT_TRUE(is_ours(Model::import(changed))) << at;
    }
  }
}

TEST(OnnxRefusal, RefusesFilesThatWouldGrowWhenParsed) {
  // Two bytes each: empty nodes of the graph. Parsed, each takes more than a hundred.
  Bytes graph;
  for (int i = 0; i < 9'000'000; ++i) {
    graph.insert(graph.end(), {0x0a, 0x00});
  }
  Bytes file = {0x3a};
  for (size_t left = graph.size(); left > 0; left >>= 7) {
    file.push_back(static_cast<uint8_t>((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
  }
  file.insert(file.end(), graph.begin(), graph.end());
  const Result<Model> model = Model::import(file);
  ASSERT_FALSE(model.ok());
  EXPECT_NE(model.error().what.find("16 MiB"), std::string::npos) << model.error().message();
}

}  // namespace
}  // namespace lockstep::formats

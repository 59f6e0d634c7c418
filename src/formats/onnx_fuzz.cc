// Fuzzes the ONNX import: whatever is accepted can be emitted, and its tensors go back.
#include "base/check.h"
#include "formats/onnx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lockstep;  // NOLINT(google-build-using-namespace)
  const auto model = formats::Model::import({data, size});
  if (!model.ok()) {
    const Code code = model.error().code;
    CHECK(code == Code::bad_onnx || code == Code::unsupported_onnx);
    return 0;
  }
  graph::Builder builder;
  const graph::Value x = builder.leaf("image of the fuzzer", model->input_shape(2));
  std::vector<graph::Value> params;
  for (size_t i = 0; i < model->parameters().size(); ++i) {
    const formats::Parameter& parameter = model->parameters()[i];
    params.push_back(builder.leaf(parameter.name, parameter.tensor.shape));
    const law::Tensor back = model->to_onnx_layout(i, parameter.tensor);
    CHECK(back.shape.dims == parameter.onnx_dims);
  }
  (void)model->emit(builder, x, params);
  return 0;
}

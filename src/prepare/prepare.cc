#include "prepare/prepare.h"

#include "formats/gzip.h"
#include "formats/idx.h"
#include "law/roots.h"
#include "law/scalar.h"

namespace lockstep::prepare {
namespace {

Error at(Error error, const std::string& path) {
  error.where = error.where.empty() || error.where == path ? path : path + ": " + error.where;
  return error;
}

Error bad_data(std::string what, const std::string& path) {
  return refuse(Code::bad_data, std::move(what), "check the job file's data and model", path);
}

Result<law::Tensor> read_tensor(env::Files& files, const std::string& path) {
  Bytes bytes = TRY(files.read(path, limits::idx_bytes_max));
  if (path.ends_with(".gz")) {
    auto unpacked = formats::gunzip(bytes, limits::idx_bytes_max);
    if (!unpacked) {
      return at(unpacked.error(), path);
    }
    bytes = std::move(unpacked).value();
  }
  auto tensor = formats::read_idx(bytes);
  if (!tensor) {
    return at(tensor.error(), path);
  }
  return tensor;
}

Result<model::TensorRef> put(store::Blobs& blobs, law::Tensor tensor) {
  model::TensorRef ref;
  ref.data = TRY(blobs.put(std::move(tensor.data)));
  ref.root = law::tensor_root(tensor.shape, ref.data);
  return ref;
}

struct Images {
  law::Tensor images, labels;
};

/// Images as [n, h, w, c] u8 and labels as [n] u8 below `classes`.
Result<Images> read_images(env::Files& files,
                           const std::pair<std::string, std::string>& paths,
                           const formats::Model& model) {
  Images read{TRY(read_tensor(files, paths.first)), TRY(read_tensor(files, paths.second))};
  law::Dims want = model.image_dims();
  const law::Dims& have = read.images.shape.dims;
  const int64_t pixels = law::count_of(want);
  if (read.images.shape.type != law::DType::u8 || have.size() < 2 ||
      read.images.shape.count() != have[0] * pixels) {
    return bad_data(
        "images are " + law::text_of(have) + ", the model takes u8 " + law::text_of(want),
        paths.first);
  }
  if (read.labels.shape != law::Shape{law::DType::u8, {have[0]}}) {
    return bad_data("one u8 label is needed for each of " + std::to_string(have[0]) + " images",
                    paths.second);
  }
  for (const uint8_t label : read.labels.data) {
    if (label >= model.classes()) {
      return bad_data("label " + std::to_string(label) + " is outside the model's classes",
                      paths.second);
    }
  }
  want.insert(want.begin(), have[0]);
  read.images.shape.dims = want;
  return read;
}

/// Cuts into blobs of `size`; place i takes image order(i).
template <class Order>
Result<std::vector<model::DataBlob>> cut(const Images& all,
                                         int64_t size,
                                         store::Blobs& blobs,
                                         Order order) {
  const int64_t count = all.labels.shape.dims[0];
  if (count == 0 || count % size != 0) {
    return bad_data(
        std::to_string(count) + " images do not divide into blobs of " + std::to_string(size),
        "data.blob_images");
  }
  const auto pixels = static_cast<size_t>(all.images.shape.count() / count);
  std::vector<model::DataBlob> cuts;
  for (int64_t first = 0; first < count; first += size) {
    law::Tensor images{all.images.shape, {}};
    law::Tensor labels{{law::DType::u8, {size}}, {}};
    images.shape.dims[0] = size;
    for (int64_t i = first; i < first + size; ++i) {
      const auto from = static_cast<size_t>(order(i));
      const auto begin = all.images.data.begin() + static_cast<ptrdiff_t>(from * pixels);
      images.data.insert(images.data.end(), begin, begin + static_cast<ptrdiff_t>(pixels));
      labels.data.push_back(all.labels.data[from]);
    }
    cuts.push_back({TRY(put(blobs, std::move(images))), TRY(put(blobs, std::move(labels)))});
  }
  return cuts;
}

Result<model::ProgramRef> register_program(graph::Built done, store::Blobs& blobs) {
  model::ProgramRef ref{law::program_root(done.program), law::encode(done.program), {}};
  for (law::Tensor& constant : done.constants) {
    ref.constants.push_back(TRY(blobs.put(std::move(constant.data))));
  }
  return ref;
}

/// What the job's kind adds: programs and first values.
Result<void> add_parts(model::Job& job, const formats::Model& model, store::Blobs& blobs) {
  const plan::Network network = network_of(model);
  for (const plan::NamedTensor& parameter : network.parameters) {
    job.parameters.push_back(parameter.name);
  }
  const auto test_blobs = static_cast<uint32_t>(job.test_blobs.size());
  plan::Parts parts = TRY(plan::make_parts({job.spec, network, test_blobs}));
  for (plan::NamedTensor& initial : parts.initial) {
    job.initial.push_back({std::move(initial.name), TRY(put(blobs, std::move(initial.tensor)))});
  }
  for (plan::NamedBuilt& program : parts.programs) {
    job.programs.push_back(
        {std::move(program.name), TRY(register_program(std::move(program.built), blobs))});
  }
  return {};
}

Result<void> add_data(model::Job& job,
                      const formats::Model& model,
                      const std::string& folder,
                      std::pair<env::Files&, store::Blobs&> world) {
  const model::DataSpec& data = job.spec.data;
  const int64_t size = data.blob_images;
  const Images train =
      TRY(read_images(world.first,
                      {resolve(folder, data.train_images), resolve(folder, data.train_labels)},
                      model));
  const auto count = static_cast<uint64_t>(train.labels.shape.dims[0]);
  job.train_blobs = TRY(cut(train, size, world.second, [&](int64_t i) {
    return law::shuffled(data.shuffle_seed, count, static_cast<uint64_t>(i));
  }));
  if (!data.test_images.empty()) {
    const Images test =
        TRY(read_images(world.first,
                        {resolve(folder, data.test_images), resolve(folder, data.test_labels)},
                        model));
    job.test_blobs = TRY(cut(test, size, world.second, [](int64_t i) { return i; }));
  }
  return {};
}

}  // namespace

std::string resolve(const std::string& folder, const std::string& path) {
  return path.starts_with("/") || folder.empty() ? path : folder + "/" + path;
}

plan::Network network_of(const formats::Model& model) {
  plan::Network network;
  network.parameters.reserve(model.parameters().size());
  for (const formats::Parameter& parameter : model.parameters()) {
    network.parameters.push_back({parameter.name, parameter.tensor});
  }
  network.image_dims = model.image_dims();
  network.logits = [&model](graph::Builder& builder,
                            graph::Value images,
                            std::span<const graph::Value> parameters) {
    return model.emit(builder, images, parameters);
  };
  return network;
}

Result<Prepared> prepare(const model::JobSpec& spec,
                         const std::string& folder,
                         env::Files& files,
                         store::Blobs& blobs) {
  TRY(plan::check(spec));
  const std::string model_path = resolve(folder, spec.model);
  auto model = formats::Model::import(TRY(files.read(model_path, limits::onnx_bytes_max)));
  if (!model) {
    return at(model.error(), model_path);
  }
  Prepared prepared{{}, std::move(model).value()};
  model::Job& job = prepared.job;
  job.spec = spec;
  TRY(add_data(job, prepared.model, folder, {files, blobs}));
  TRY(add_parts(job, prepared.model, blobs));
  return prepared;
}

}  // namespace lockstep::prepare

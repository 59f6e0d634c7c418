// For tests: jobs over a network of one dense layer, small enough for the law's own interpreter.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "law/interpret.h"
#include "law/roots.h"
#include "plan/kind.h"
#include "plan/sweep.h"
#include "spec/job_file.h"

namespace lockstep::plan::test {

inline constexpr int64_t blob_images = 8;
inline constexpr int64_t classes = 3;

/// Contents by address, and whole jobs on them.
class Bench {
 public:
  model::TensorRef put(law::Tensor tensor) {
    model::TensorRef ref{{}, law::data_hash(tensor.data)};
    ref.root = law::tensor_root(tensor.shape, ref.data);
    data_[ref.data] = std::move(tensor.data);
    return ref;
  }
  [[nodiscard]] const Bytes& get(const model::TensorRef& ref) const { return data_.at(ref.data); }

  /// Images whose brightest of three pixels is their label.
  model::DataBlob blob(uint64_t seed) {
    law::Tensor images{{law::DType::u8, {blob_images, 2, 2, 1}}, {}};
    law::Tensor labels{{law::DType::u8, {blob_images}}, {}};
    uint64_t state = seed * 977 + 5;
    for (int64_t image = 0; image < blob_images; ++image) {
      uint8_t label = 0;
      const size_t first = images.data.size();
      for (size_t pixel = 0; pixel < 4; ++pixel) {
        state = state * 6364136223846793005ULL + 1442695040888963407ULL;
        images.data.push_back(static_cast<uint8_t>(state >> 33));
        if (pixel < classes && images.data[first + pixel] > images.data[first + label]) {
          label = static_cast<uint8_t>(pixel);
        }
      }
      labels.data.push_back(label);
    }
    return {put(std::move(images)), put(std::move(labels))};
  }

  static Network network() {
    Network network;
    law::Tensor weights{{law::DType::f32, {4, classes}}, Bytes(size_t{4} * 4 * classes)};
    weights.data[6] = 0x80;
    weights.data[7] = 0x3E;  // 0.25
    network.parameters.push_back({"weights", std::move(weights)});
    network.image_dims = {2, 2, 1};
    network.logits = [](graph::Builder& builder,
                        graph::Value images,
                        std::span<const graph::Value> parameters) -> Result<graph::Value> {
      const int64_t batch = builder.shape(images).dims[0];
      return builder.matmul(builder.reshape(images, {batch, 4}), parameters[0]);
    };
    return network;
  }

  /// `text` as a whole job, with so many blobs.
  Result<model::Job> job(const std::string& text, uint64_t train_blobs, uint64_t test_blobs) {
    model::Job job;
    job.spec = TRY(spec::parse_job(text, "job.yaml"));
    job.parameters = {"weights"};
    for (uint64_t i = 0; i < train_blobs; ++i) {
      job.train_blobs.push_back(blob(i));
    }
    for (uint64_t i = 0; i < test_blobs; ++i) {
      job.test_blobs.push_back(blob(100 + i));
    }
    const Network with = network();
    Parts parts = TRY(make_parts({job.spec, with, static_cast<uint32_t>(test_blobs)}));
    for (NamedBuilt& program : parts.programs) {
      model::ProgramRef ref{
          law::program_root(program.built.program), law::encode(program.built.program), {}};
      for (law::Tensor& constant : program.built.constants) {
        ref.constants.push_back(put(std::move(constant)).data);
      }
      job.programs.push_back({program.name, std::move(ref)});
    }
    for (NamedTensor& initial : parts.initial) {
      job.initial.push_back({initial.name, put(std::move(initial.tensor))});
    }
    return job;
  }

  model::Execution run(const model::Task& task) {
    const law::Program program = law::decode(task.program->bytes).value();
    std::vector<law::Tensor> leaves;
    leaves.reserve(task.leaves.size());
    for (size_t i = 0; i < task.leaves.size(); ++i) {
      EXPECT_EQ(law::tensor_root(program.leaves[i].shape, task.leaves[i].tensor.data),
                task.leaves[i].tensor.root)
          << program.leaves[i].name;
      leaves.push_back({program.leaves[i].shape, get(task.leaves[i].tensor)});
    }
    std::vector<law::Tensor> constants;
    constants.reserve(program.constants.size());
    for (size_t i = 0; i < program.constants.size(); ++i) {
      constants.push_back({program.constants[i].shape, data_.at(task.program->constants[i])});
    }
    for (uint32_t step = 0; step < task.steps; ++step) {
      leaves = law::run_step(program, leaves, constants, nullptr);
    }
    model::Execution done;
    done.tag = task.tag;
    for (law::Tensor& leaf : leaves) {
      done.leaves.push_back(put(std::move(leaf)));
    }
    return done;
  }

  /// To its end. Returns the tasks in the order in which they became ready.
  std::vector<model::Task> run(Planner& planner) {
    std::vector<model::Task> all;
    std::vector<model::Execution> done;
    while (!planner.done()) {
      const auto tasks = planner.advance(done);
      EXPECT_TRUE(tasks.ok()) << (tasks.ok() ? "" : tasks.error().message());
      if (!tasks.ok() || tasks->empty()) {
        EXPECT_TRUE(planner.done()) << "nothing is ready";
        return all;
      }
      done.clear();
      for (const model::Task& task : *tasks) {
        done.push_back(run(task));
        all.push_back(task);
      }
    }
    return all;
  }

 private:
  std::map<Hash, Bytes> data_;
};

inline std::string head(const std::string& kind) {
  return "kind: " + kind +
         "\nmodel: m.onnx\n"
         "data: {train_images: a, train_labels: b, test_images: c, test_labels: d, "
         "blob_images: 8}\n";
}

}  // namespace lockstep::plan::test

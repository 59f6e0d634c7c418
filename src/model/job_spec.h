// What a requester asks for, as plain data: the outcome of reading a job file. Everything here has
// been checked and every default is written out; nothing here knows about YAML or reads a file.
#pragma once

#include <bit>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/amount.h"
#include "model/value_tree.h"

namespace lockstep::model {

/// Visits a float as its bits: canonical bytes have no floats.
template <class Float, class Visit>
void each_float(Float& value, Visit&& visit) {
  auto bits = std::bit_cast<uint32_t>(value);
  visit(bits);
  if constexpr (!std::is_const_v<Float>) {
    value = std::bit_cast<float>(bits);
  }
}

/// What is done: the planner of the kind (plan/kind.h) says which tasks that takes.
enum class JobKind : uint8_t { train, sweep };
/// As a job file writes them; the section of a kind has the kind's name.
inline constexpr std::string_view job_kind_names[] = {"train", "sweep"};
constexpr JobKind last_of(JobKind) {
  return JobKind::sweep;
}
static_assert(std::size(job_kind_names) == static_cast<size_t>(last_of(JobKind())) + 1);
[[nodiscard]] constexpr std::string_view name_of(JobKind kind) {
  return job_kind_names[static_cast<size_t>(kind)];
}

/// Paths are as written in the job file; whoever opens them resolves them against its folder.
enum class DataFormat : uint8_t { idx };
constexpr DataFormat last_of(DataFormat) {
  return DataFormat::idx;
}

struct DataSpec {
  DataFormat format = DataFormat::idx;
  std::string train_images;
  std::string train_labels;
  std::string test_images;  // both test paths are empty, or neither
  std::string test_labels;
  uint32_t blob_images = 1000;  // images in one blob: a task reads one
  uint64_t shuffle_seed = 0;
  bool operator==(const DataSpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.format,
          self.train_images,
          self.train_labels,
          self.test_images,
          self.test_labels,
          self.blob_images,
          self.shuffle_seed);
  }
};

enum class Loss : uint8_t { softmax_cross_entropy };
constexpr Loss last_of(Loss) {
  return Loss::softmax_cross_entropy;
}
enum class OptimizerKind : uint8_t { sgd };
constexpr OptimizerKind last_of(OptimizerKind) {
  return OptimizerKind::sgd;
}
enum class Schedule : uint8_t { constant, warmup_cosine };
constexpr Schedule last_of(Schedule) {
  return Schedule::warmup_cosine;
}

struct OptimizerSpec {
  OptimizerKind kind = OptimizerKind::sgd;
  float momentum = 0.9F;  // in [0, 1)
  bool operator==(const OptimizerSpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.kind);
    each_float(self.momentum, visit);
  }
};

struct LearningRateSpec {
  Schedule schedule = Schedule::warmup_cosine;
  float base = 0.05F;          // above 0
  uint32_t warmup_steps = 60;  // at most rounds x local_steps; 0 for a constant rate
  bool operator==(const LearningRateSpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.schedule);
    each_float(self.base, visit);
    visit(self.warmup_steps);
  }
};

struct TrainSpec {
  Loss loss = Loss::softmax_cross_entropy;
  OptimizerSpec optimizer;
  LearningRateSpec lr;
  uint32_t batch = 25;        // batch x local_steps <= blob_images
  uint32_t rounds = 60;       // averagings
  uint32_t lanes = 6;         // tasks of a round, averaged in lane order
  uint32_t local_steps = 40;  // steps of one task
  uint32_t claim_every = 5;   // state roots are claimed every so many steps (H)
  uint64_t seed = 0;
  bool operator==(const TrainSpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.loss,
          self.optimizer,
          self.lr,
          self.batch,
          self.rounds,
          self.lanes,
          self.local_steps,
          self.claim_every,
          self.seed);
  }
};

struct GpuSpec {
  uint32_t count = 0;  // 0: none asked for
  std::string name;    // "any" or a device's name such as "A100"; empty when count is 0
  bool operator==(const GpuSpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.count, self.name);
  }
};

/// The least a machine must have to run one task. Nothing said, nothing asked.
struct ResourceSpec {
  std::optional<uint32_t> cpus;
  std::optional<uint64_t> memory_bytes;
  GpuSpec gpu;
  bool operator==(const ResourceSpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.cpus, self.memory_bytes, self.gpu);
  }
};

enum class VerifyKind : uint8_t { none, confirm, spot, replicate, full, self };
constexpr VerifyKind last_of(VerifyKind) {
  return VerifyKind::self;
}

struct VerifySpec {
  VerifyKind kind = VerifyKind::spot;
  uint32_t share_millionths = 100'000;  // spot: 1 to 999,999; full: 1,000,000; others 0
  uint32_t copies = 0;                  // replicate: how many owners run each task; others 0
  bool operator==(const VerifySpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.kind, self.share_millionths, self.copies);
  }
};

/// automatic: the planner takes `job` for a job under an hour, otherwise a span of one hour.
enum class FinalityKind : uint8_t { automatic, job, span };
constexpr FinalityKind last_of(FinalityKind) {
  return FinalityKind::span;
}

struct FinalitySpec {
  FinalityKind kind = FinalityKind::automatic;
  uint64_t span_seconds = 0;  // above 0 exactly for a span
  bool operator==(const FinalitySpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.kind, self.span_seconds);
  }
};

struct OutputSpec {
  std::string weights = "model.safetensors";
  bool operator==(const OutputSpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.weights);
  }
};

struct JobSpec {
  JobKind kind = JobKind::train;
  std::string name;
  std::string model;  // path of the ONNX file
  DataSpec data;
  TrainSpec train;  // of kind train
  ValueTree file;   // of other kinds: the job file, for the section that the kind's planner reads
  ResourceSpec resources;
  std::optional<Amount> budget;  // the most the requester pays; absent: no bound was stated
  VerifySpec verify;
  FinalitySpec finality;
  OutputSpec outputs;
  bool operator==(const JobSpec&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.kind,
          self.name,
          self.model,
          self.data,
          self.train,
          self.file,
          self.resources,
          self.budget,
          self.verify,
          self.finality,
          self.outputs);
  }
};

}  // namespace lockstep::model

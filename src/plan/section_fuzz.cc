// Any bytes as the own section of a kind of job: read or refused as the input's fault, with a
// place; and as the bytes of a prepared job, which are planned or refused.
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "codec/record.h"
#include "model/market.h"
#include "plan/kind.h"
#include "plan/sweep.h"
#include "spec/job_file.h"

namespace {

using namespace lockstep;  // NOLINT(google-build-using-namespace)

void check_sweep(const model::JobSpec& job) {
  const auto sweep = plan::read_sweep(job);
  CHECK(sweep.ok() && sweep->rates.size() >= 2 && sweep->rates.size() <= 64);
  for (const auto& rate : sweep->rates) {
    CHECK(rate.value > 0 && rate.value <= 1000 && !rate.text.empty());
  }
  const model::TrainSpec& train = sweep->train;
  CHECK(train.batch >= 1 && train.rounds >= 1 && train.rounds <= 1000 && train.lanes == 1);
  CHECK(train.local_steps >= 1 && train.local_steps <= limits::task_steps_max);
  CHECK(train.claim_every >= 1 && train.claim_every <= model::claim_every_max(train.local_steps));
  CHECK(uint64_t{train.batch} * train.local_steps <= job.data.blob_images);
  CHECK(train.lr.warmup_steps <= uint64_t{train.rounds} * train.local_steps);
  CHECK(train.optimizer.momentum >= 0 && train.optimizer.momentum < 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string section =
      "kind: sweep\nmodel: m.onnx\n"
      "data: {train_images: a, train_labels: b, test_images: c, test_labels: d}\nsweep:\n" +
      std::string(text);
  const auto job = spec::parse_job(section, "f");
  if (job.ok()) {
    const auto checked = plan::check(*job);
    if (checked.ok()) {
      check_sweep(*job);
    } else {
      CHECK(!checked.error().is_fault());
      CHECK(checked.error().where.starts_with("f:") && !checked.error().what.empty());
    }
  }
  const auto prepared = codec::decode<model::Job>({data, size});
  if (prepared.ok()) {
    const auto planner = plan::make_planner(*prepared);
    CHECK(planner.ok() || !planner.error().is_fault());
  }
  return 0;
}

// Any bytes as a job file: read or refused as the input's fault, with a place; and what is read
// keeps the promises of JobSpec.
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "model/market.h"
#include "spec/job_file.h"

namespace {

using lockstep::model::JobSpec;

void check_spec(const JobSpec& job) {
  CHECK((job.kind == lockstep::model::JobKind::train) == job.file.values.empty());
  CHECK(lockstep::model::is_whole(job.file));
  const auto& train = job.train;
  CHECK(!job.name.empty() && job.model.ends_with(".onnx"));
  CHECK(!job.data.train_images.empty() && !job.data.train_labels.empty());
  CHECK(job.data.test_images.empty() == job.data.test_labels.empty());
  CHECK(train.batch >= 1 && train.rounds >= 1 && train.rounds <= 10'000);
  CHECK(train.lanes >= 1 && train.lanes <= 64);
  CHECK(train.local_steps >= 1 && train.local_steps <= lockstep::limits::task_steps_max);
  CHECK(train.claim_every >= 1 &&
        train.claim_every <= lockstep::model::claim_every_max(train.local_steps));
  CHECK(job.kind != lockstep::model::JobKind::train ||
        uint64_t{train.batch} * train.local_steps <= job.data.blob_images);
  CHECK(train.lr.base > 0 && train.optimizer.momentum >= 0 && train.optimizer.momentum < 1);
  CHECK(!job.budget || *job.budget > lockstep::Amount());
  CHECK(job.verify.share_millionths <= 1'000'000);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto job = lockstep::spec::parse_job(text, "f");
  if (job.ok()) {
    check_spec(*job);
    return 0;
  }
  CHECK(!job.error().is_fault());
  CHECK(job.error().where.starts_with("f:") && !job.error().what.empty());
  return 0;
}

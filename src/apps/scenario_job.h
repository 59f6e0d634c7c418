// The job of all scenarios: a tiny classifier on made-up images, three rounds of two lanes of ten
// steps. Small, so that a thousand runs of it are nothing.
#pragma once

#include "base/result.h"
#include "env/files.h"
#include "model/scenario.h"

namespace lockstep::apps {

[[nodiscard]] model::JobSpec scenario_job(const model::Scenario& scenario);

/// The files that scenario_job() names; nothing can be written.
class ScenarioFiles final : public env::Files {
 public:
  Result<Bytes> read(const std::string& path, size_t bytes_max) override;
  Result<void> write(const std::string& path, ByteView bytes) override;
};

}  // namespace lockstep::apps

// What a run begins with: the job file, the folder that its paths are relative to, and the kernels
// of this machine. And `lockstep validate`, which stops there.
#pragma once

#include <string>

#include "apps/report.h"
#include "crypto/blake3.h"
#include "env/files.h"
#include "model/job_spec.h"
#include "tensor/executor.h"

namespace lockstep::apps {

/// Errors: file_not_found, too_large, io_failed, those of spec::parse_job and plan::check.
Result<model::JobSpec> read_job(env::Files& files, const std::string& path);
/// "a/b.yaml" gives "a".
std::string folder_of(const std::string& path);
/// LOCKSTEP_ISA=portable or avx2 chooses the kernels; unset, the widest that this machine has.
/// Errors: out_of_range.
Result<tensor::Isa> choose_isa();

/// Reads the job file and says whether it is valid; runs nothing.
Exit validate_job(const std::string& path, bool json);

}  // namespace lockstep::apps

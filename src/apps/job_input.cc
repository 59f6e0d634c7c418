#include "apps/job_input.h"

#include <cstdlib>

#include "plan/kind.h"
#include "platform/files.h"
#include "spec/job_file.h"

namespace lockstep::apps {

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash == 0 ? 1 : slash);
}

Result<model::JobSpec> read_job(env::Files& files, const std::string& path) {
  const Bytes text = TRY(files.read(path, limits::job_file_bytes_max));
  model::JobSpec spec =
      TRY(spec::parse_job({reinterpret_cast<const char*>(text.data()), text.size()}, path));
  TRY(plan::check(spec));
  return spec;
}

Result<tensor::Isa> choose_isa() {
  // No thread runs yet.
  const char* const wanted = std::getenv("LOCKSTEP_ISA");  // NOLINT(concurrency-mt-unsafe)
  const std::string name = wanted == nullptr ? "" : wanted;
  if (name == "portable") {
    crypto::set_isa(crypto::Isa::portable);
    return tensor::Isa::portable;
  }
  if (name.empty() || (name == "avx2" && tensor::supported(tensor::Isa::avx2))) {
    return tensor::best_isa();
  }
  return refuse(Code::out_of_range,
                "\"" + name + "\" is no instruction set that this machine runs",
                "set it to portable or avx2, or leave it unset",
                "LOCKSTEP_ISA");
}

Exit validate_job(const std::string& path, bool json) {
  const Report report(json);
  platform::Files files;
  const auto spec = read_job(files, path);
  if (!spec) {
    return report.fail(spec.error());
  }
  report.tell("job " + spec->name + " is valid", "valid", {{"name", spec->name}});
  return Exit::ok;
}

}  // namespace lockstep::apps

#include "apps/folders.h"

#include <cstdlib>

namespace lockstep::apps {
namespace {

Result<std::string> folder_of(const Environment& environment,
                              const char* variable,
                              const std::string& below_home) {
  // A path that is not absolute does not count, says the specification.
  const std::string chosen = environment(variable);
  if (chosen.starts_with('/')) {
    return chosen + "/lockstep";
  }
  const std::string home = environment("HOME");
  if (!home.starts_with('/')) {
    return refuse(Code::bad_folder,
                  "there is no home folder",
                  std::string("set HOME or ") + variable + " to an absolute path");
  }
  return home + below_home + "/lockstep";
}

}  // namespace

std::string environment_of_process(const char* name) {
  // Read before any thread is started.
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::string> config_folder(const Environment& environment) {
  return folder_of(environment, "XDG_CONFIG_HOME", "/.config");
}

Result<std::string> data_folder(const Environment& environment) {
  return folder_of(environment, "XDG_DATA_HOME", "/.local/share");
}

Result<std::string> wallet_folder(const Environment& environment, const std::string& chosen) {
  if (!chosen.empty()) {
    return chosen;
  }
  return TRY(config_folder(environment)) + "/wallets";
}

}  // namespace lockstep::apps

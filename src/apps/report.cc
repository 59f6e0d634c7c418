#include "apps/report.h"

namespace lockstep::apps {

void Report::tell(const std::string& text, const std::string& name, nlohmann::json event) const {
  if (json_) {
    event["event"] = name;
    std::printf("%s\n", event.dump().c_str());
  } else {
    std::printf("%s\n", text.c_str());
  }
  (void)std::fflush(stdout);
}

Exit Report::fail(const Error& error) const {
  if (json_) {
    tell({},
         "error",
         {{"code", static_cast<int>(error.code)},
          {"where", error.where},
          {"what", error.what},
          {"next", error.next}});
  } else {
    (void)std::fprintf(stderr, "error: %s\n", error.message().c_str());
  }
  return error.is_fault() ? Exit::failed : Exit::invalid_input;
}

}  // namespace lockstep::apps

#include "apps/report.h"

namespace lockstep::apps {

Exit exit_of(const Error& error) {
  switch (error.code) {
    case Code::over_budget:
    case Code::low_funds:
      return Exit::funds;
    case Code::no_offer:
      return Exit::no_offer;
    case Code::bad_receipt:
      return Exit::verification_failed;
    default:
      return error.is_fault() ? Exit::failed : Exit::invalid_input;
  }
}

void Report::tell(const std::string& text, const std::string& name, nlohmann::json event) const {
  if (log_ != nullptr) {
    nlohmann::json line = event;
    line["event"] = name;
    log_->push_back(line.dump());
  }
  aside(text, name, std::move(event));
}

void Report::aside(const std::string& text, const std::string& name, nlohmann::json event) const {
  if (json_) {
    event["event"] = name;
    std::printf("%s\n", event.dump().c_str());
  } else if (!text.empty()) {
    std::printf("%s\n", text.c_str());
  }
  (void)std::fflush(stdout);
}

Exit Report::fail(const Error& error) const {
  if (json_) {
    aside({},
          "error",
          {{"code", static_cast<int>(error.code)},
           {"where", error.where},
           {"what", error.what},
           {"next", error.next}});
  } else {
    (void)std::fprintf(stderr, "error: %s\n", error.message().c_str());
  }
  return exit_of(error);
}

}  // namespace lockstep::apps

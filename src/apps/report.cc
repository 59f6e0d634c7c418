#include "apps/report.h"

#include "apps/run_record.h"

namespace lockstep::apps {

Exit exit_of(const Error& error) {
  switch (error.code) {
    case Code::not_registered:
    case Code::no_network:
    case Code::bad_folder:
      return Exit::not_found;
    case Code::in_use:
    case Code::not_permitted:
      return Exit::locked;
    case Code::over_budget:
    case Code::low_funds:
    case Code::low_stake:
      return Exit::funds;
    case Code::no_offer:
      return Exit::no_offer;
    case Code::bad_receipt:
    case Code::not_trusted:
      return Exit::verification_failed;
    case Code::unreachable:
      return Exit::unreachable;
    case Code::timed_out:
      return Exit::timeout;
    case Code::cancelled:
      return Exit::interrupted;
    default:
      return error.is_fault() ? Exit::failed : Exit::invalid_input;
  }
}

nlohmann::json Report::stamped(const std::string& name, nlohmann::json event) const {
  event["event"] = name;
  if (now_ms_ && !event.contains("time_ms")) {
    event["time_ms"] = *now_ms_;
  }
  return event;
}

void Report::tell(const std::string& text, const std::string& name, nlohmann::json event) const {
  if (log_ != nullptr) {
    log_->push_back(stamped(name, event).dump());
  }
  aside(text, name, std::move(event));
}

void Report::aside(const std::string& text, const std::string& name, nlohmann::json event) const {
  event = stamped(name, std::move(event));
  if (record_ != nullptr) {
    record_->add(now_ms_.value_or(0), name, event);
  }
  if (sink_) {
    sink_(text, event);
    return;
  }
  if (json_) {
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

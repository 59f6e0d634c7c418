// `lockstep doctor`: what is missing on this machine, and how to get it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/report.h"
#include "platform/health.h"

namespace lockstep::apps {

enum class Verdict : uint8_t { ok, warning, problem };
[[nodiscard]] const char* name_of(Verdict verdict);

struct Finding {
  Verdict verdict = Verdict::ok;
  std::string subject;  // one word, for scripts: "memory"
  std::string text;     // what was found
  std::string fix;      // a command or a step; empty when all is well
};

/// The first folder is that for data, the others must be private. In a fixed order, one or more a
/// subject.
[[nodiscard]] std::vector<Finding> examine(const platform::Health& health);

/// What a visit to a network's ledger says about this machine's clock: an error of the visit, or
/// the time of the ledger's last block, which cannot lie before ours by more than a moment.
[[nodiscard]] Finding network_clock(const std::optional<Error>& error,
                                    uint64_t block_ms,
                                    uint64_t now_ms);

struct DoctorOptions {
  std::string data_folder;     // empty: where data lies by default
  std::string wallet_folder;   // empty: the same for wallets
  std::string network_folder;  // empty: the usual one; whose ledger, where there is one, is asked
  std::vector<uint16_t> ports = {4100};
  bool json = false;
};
/// Tells every finding; Exit::ok when there is no problem, Exit::failed otherwise.
[[nodiscard]] Exit doctor(const DoctorOptions& options);
/// The same with facts from elsewhere.
[[nodiscard]] Exit tell_findings(const std::vector<Finding>& findings, const Report& report);

}  // namespace lockstep::apps

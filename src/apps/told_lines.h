// What an earlier life of a requester's process has told: after a crash the node tells its story
// again from its book and the ledger, and nobody wants to read it twice.
#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

namespace lockstep::apps {

class ToldLines {
 public:
  ToldLines() = default;
  /// `lines` are events as they were written, one a line. What is no event is passed over: a crash
  /// may have cut the last one.
  explicit ToldLines(std::string_view lines);
  /// Whether an earlier life told the same about something that happens once: what stands in a
  /// block, a step of a task on one machine, a round that is finished for the first time.
  [[nodiscard]] bool is_repeat(const nlohmann::json& event) const;
  /// Whether the last line was cut off.
  [[nodiscard]] bool is_cut() const { return is_cut_; }

 private:
  std::set<std::string> told_;
  bool is_cut_ = false;
};

}  // namespace lockstep::apps

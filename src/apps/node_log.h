// A node's structured log: one JSON object a line, in files of bounded size. What the fields mean:
// docs/metrics.md. Ids and public keys only: nothing that a node keeps secret is ever handed to it.
#pragma once

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lockstep::apps {

enum class LogLevel : uint8_t { debug, info, warn, error };
[[nodiscard]] const char* name_of(LogLevel level);
/// Nothing for a name that is none.
[[nodiscard]] std::optional<LogLevel> level_named(const std::string& name);

/// "2026-11-22T03:05:06.007Z": RFC 3339, UTC.
[[nodiscard]] std::string time_text(uint64_t ms_since_1970);

/// Lines appended to a file that moves aside when it is full: NAME, NAME.1 (the one before it), up
/// to NAME.(count - 1). A line that was written survives the process.
class LogFile {
 public:
  struct Limits {
    uint64_t file_bytes = uint64_t{8} << 20;
    int files = 4;
  };
  explicit LogFile(std::string path) : LogFile(std::move(path), Limits()) {}
  LogFile(std::string path, const Limits& limits);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  /// Without its end. False: not written, the disk may be full; later ones are tried again.
  bool write(const std::string& line);
  /// Its files, the oldest first, whether they exist or not.
  [[nodiscard]] static std::vector<std::string> files_of(const std::string& path, int files = 4);

 private:
  void open();
  void close();
  void rotate();
  std::string path_;
  Limits limits_;
  std::FILE* file_ = nullptr;
  uint64_t size_ = 0;
  bool torn_ = false;  // the last line has no end
};

class NodeLog {
 public:
  using Fields = nlohmann::ordered_json;
  NodeLog(const std::string& path, LogLevel least, std::string role)
      : file_(path), least_(least), role_(std::move(role)) {}

  [[nodiscard]] bool wants(LogLevel level) const { return level >= least_; }
  /// Texts in `fields` may come from anybody: they are cut at text_bytes_max and made valid UTF-8.
  void write(LogLevel level, uint64_t now_ms, const char* event, const Fields& fields);
  [[nodiscard]] uint64_t lines() const { return lines_; }
  [[nodiscard]] uint64_t lost() const { return lost_; }
  static constexpr size_t text_bytes_max = 400;

 private:
  LogFile file_;
  LogLevel least_;
  std::string role_;
  uint64_t lines_ = 0, lost_ = 0;
};

inline constexpr const char* node_log_name = "node.jsonl";  // under logs/

/// A line of the log for people: "03:05:06.007 info  task_assigned job=… task=…". The line itself
/// when it is none.
[[nodiscard]] std::string readable_line(const std::string& line);

}  // namespace lockstep::apps

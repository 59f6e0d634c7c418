#include "apps/node_log.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>

#include "apps/report.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> level_names = {"debug", "info", "warn", "error"};

std::string numbered(const std::string& path, int number) {
  return number == 0 ? path : path + "." + std::to_string(number);
}

}  // namespace

const char* name_of(LogLevel level) {
  return level_names[static_cast<size_t>(level)];
}

std::optional<LogLevel> level_named(const std::string& name) {
  for (size_t i = 0; i < level_names.size(); ++i) {
    if (name == level_names[i]) {
      return static_cast<LogLevel>(i);
    }
  }
  return std::nullopt;
}

std::string time_text(uint64_t ms_since_1970) {
  namespace chrono = std::chrono;
  constexpr uint64_t day_ms = uint64_t{24} * 3600 * 1000;
  const chrono::sys_days days(chrono::days(static_cast<int>(ms_since_1970 / day_ms)));
  const chrono::year_month_day date(days);
  const uint64_t ms = ms_since_1970 % day_ms;
  return text_of("%04d-%02u-%02uT%02u:%02u:%02u.%03uZ",
                 static_cast<int>(date.year()),
                 static_cast<unsigned>(date.month()),
                 static_cast<unsigned>(date.day()),
                 static_cast<unsigned>(ms / 3'600'000),
                 static_cast<unsigned>(ms / 60'000 % 60),
                 static_cast<unsigned>(ms / 1000 % 60),
                 static_cast<unsigned>(ms % 1000));
}

LogFile::LogFile(std::string path, const Limits& limits) : path_(std::move(path)), limits_(limits) {
  open();
}

LogFile::~LogFile() {
  close();
}

std::vector<std::string> LogFile::files_of(const std::string& path, int files) {
  std::vector<std::string> all;
  all.reserve(static_cast<size_t>(files));
  for (int i = files - 1; i >= 0; --i) {
    all.push_back(numbered(path, i));
  }
  return all;
}

void LogFile::open() {
  file_ = std::fopen(path_.c_str(), "a+e");
  if (file_ == nullptr) {
    return;
  }
  // Each line in one write, so that none is half in the file when the process is killed.
  (void)std::setvbuf(file_, nullptr, _IONBF, 0);
  std::error_code failed;
  const uintmax_t size = fs::file_size(path_, failed);
  size_ = failed ? 0 : size;
  torn_ = false;
  if (size_ > 0 && std::fseek(file_, -1, SEEK_END) == 0) {
    torn_ = std::fgetc(file_) != '\n';
    (void)std::fseek(file_, 0, SEEK_END);
  }
}

void LogFile::close() {
  if (file_ != nullptr) {
    (void)std::fclose(file_);
    file_ = nullptr;
  }
}

/// Where a file cannot be moved, the log goes on in the one that there is.
void LogFile::rotate() {
  close();
  std::error_code failed;
  for (int i = limits_.files - 1; i > 0; --i) {
    fs::rename(numbered(path_, i - 1), numbered(path_, i), failed);
  }
  open();
}

bool LogFile::write(const std::string& line) {
  const std::string text = (torn_ ? "\n" : "") + line + "\n";
  if (file_ != nullptr && size_ > 0 && size_ + text.size() > limits_.file_bytes) {
    rotate();
  }
  if (file_ == nullptr) {
    open();
  }
  if (file_ == nullptr) {
    return false;
  }
  const size_t written = std::fwrite(text.data(), 1, text.size(), file_);
  size_ += written;
  if (written < text.size()) {
    std::clearerr(file_);
    torn_ = torn_ || written > 0;
    return false;
  }
  torn_ = false;
  return true;
}

void NodeLog::write(LogLevel level, uint64_t now_ms, const char* event, const Fields& fields) {
  if (!wants(level)) {
    return;
  }
  Fields line = {
      {"time", time_text(now_ms)}, {"level", name_of(level)}, {"role", role_}, {"event", event}};
  for (const auto& [name, value] : fields.items()) {
    if (value.is_string() && value.get_ref<const std::string&>().size() > text_bytes_max) {
      line[name] = value.get_ref<const std::string&>().substr(0, text_bytes_max);
    } else {
      line[name] = value;
    }
  }
  ++lines_;
  if (!file_.write(line.dump(-1, ' ', false, Fields::error_handler_t::replace))) {
    ++lost_;
  }
}

std::string readable_line(const std::string& line) {
  const auto read = nlohmann::ordered_json::parse(line, nullptr, false);
  if (!read.is_object()) {
    return line;
  }
  const auto text_at = [&](const char* name) {
    const auto found = read.find(name);
    return found != read.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  std::string text = text_at("time");
  text += " " + text_at("level");
  text.resize(std::max<size_t>(text.size(), 31), ' ');
  text += text_at("event");
  for (const auto& [name, value] : read.items()) {
    if (name == "time" || name == "level" || name == "role" || name == "event") {
      continue;
    }
    // What others wrote reaches a terminal only with its control characters escaped.
    std::string shown = value.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
    if (value.is_string() && shown.find_first_of(" \\=") == std::string::npos) {
      shown = shown.substr(1, shown.size() - 2);
    }
    text.append(" ").append(name).append("=").append(shown);
  }
  return text;
}

}  // namespace lockstep::apps

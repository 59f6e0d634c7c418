#include "device/system_files.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace lockstep::device {
namespace {

constexpr size_t text_bytes_max = size_t{4} << 20;
constexpr uint32_t list_number_max = 65'535;
constexpr std::string_view blanks = " \t\r\n";

std::vector<std::string_view> cut(std::string_view text, std::string_view at) {
  std::vector<std::string_view> parts;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find_first_of(at, from), text.size());
    if (end > from) {
      parts.push_back(text.substr(from, end - from));
    }
    from = end + 1;
  }
  return parts;
}

}  // namespace

std::optional<std::string> read_text(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return std::nullopt;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return std::nullopt;
  }
  // Sizes of such files are not known before they are read.
  std::string text;
  std::string part(size_t{16} << 10, '\0');
  while (text.size() < text_bytes_max) {
    file.read(part.data(), static_cast<std::streamsize>(part.size()));
    const auto got = static_cast<size_t>(std::max<std::streamsize>(0, file.gcount()));
    text.append(part, 0, got);
    if (got < part.size()) {
      break;
    }
  }
  return text;
}

std::string read_line(const std::string& path) {
  const std::optional<std::string> text = read_text(path);
  return text ? std::string(trimmed(text->substr(0, text->find('\n')))) : std::string();
}

std::optional<uint64_t> number_of(std::string_view text) {
  constexpr int hexadecimal = 16;
  constexpr int decimal = 10;
  const bool hex = text.starts_with("0x");
  text.remove_prefix(hex ? 2 : 0);
  uint64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value, hex ? hexadecimal : decimal);
  return error == std::errc() && end == last ? std::optional(value) : std::nullopt;
}

std::optional<uint64_t> read_number(const std::string& path) {
  return number_of(read_line(path));
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(blanks);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string_view> lines_of(std::string_view text) {
  return cut(text, "\n");
}

std::vector<std::string_view> words_of(std::string_view text) {
  return cut(text, blanks);
}

std::string_view value_of(std::string_view text, std::string_view key) {
  for (const std::string_view line : lines_of(text)) {
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos && trimmed(line.substr(0, colon)) == key) {
      return trimmed(line.substr(colon + 1));
    }
  }
  return {};
}

std::vector<uint32_t> numbers_of(std::string_view list) {
  std::vector<uint32_t> numbers;
  for (const std::string_view part : cut(trimmed(list), ",")) {
    const size_t dash = std::min(part.find('-'), part.size());
    const auto first = number_of(part.substr(0, dash));
    const auto last = dash == part.size() ? first : number_of(part.substr(dash + 1));
    if (!first || !last || *last > list_number_max || numbers.size() > list_number_max) {
      continue;
    }
    for (uint64_t number = *first; number <= *last; ++number) {
      numbers.push_back(static_cast<uint32_t>(number));
    }
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return numbers;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    names.push_back(entry->path().filename().string());
    entry.increment(error);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string link_name(const std::string& path) {
  std::error_code error;
  const std::filesystem::path target = std::filesystem::read_symlink(path, error);
  return error ? std::string() : target.filename().string();
}

bool exists(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace lockstep::device

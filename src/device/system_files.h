// Small text files of /proc and /sys. Not for use outside the module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::device {

/// The first 4 MiB of the file; nothing where it cannot be read.
[[nodiscard]] std::optional<std::string> read_text(const std::string& path);
/// The file's first line without spaces around it; empty where it cannot be read.
[[nodiscard]] std::string read_line(const std::string& path);
/// The first line as a number, decimal or 0x…; nothing for anything else.
[[nodiscard]] std::optional<uint64_t> read_number(const std::string& path);
[[nodiscard]] std::optional<uint64_t> number_of(std::string_view text);

[[nodiscard]] std::string_view trimmed(std::string_view text);
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);
/// Between blanks.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view text);
/// "key: value" of the first such line; empty where there is none.
[[nodiscard]] std::string_view value_of(std::string_view text, std::string_view key);
/// "0-3,8" as 0 1 2 3 8; what cannot be read is left out, at most 65,536.
[[nodiscard]] std::vector<uint32_t> numbers_of(std::string_view list);

/// Names in a folder, sorted; empty where it cannot be read.
[[nodiscard]] std::vector<std::string> names_in(const std::string& folder);
/// The last part of where a link points to; empty where it is no link.
[[nodiscard]] std::string link_name(const std::string& path);
[[nodiscard]] bool exists(const std::string& path);

}  // namespace lockstep::device

// One reader for each value, used for flags and for the file. Sizes are exact: 128 bits on the way.
#include "spec/slice.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "spec/fields.h"
#include "spec/when.h"

namespace lockstep::spec {
namespace {

using model::MachineSize;
using model::Slice;
using std::string_view;
__extension__ using Wide = unsigned __int128;

struct Unit {
  string_view name;
  uint64_t size;
};
constexpr std::array<Unit, 9> units{{{"TB", 1'000'000'000'000},
                                     {"GB", 1'000'000'000},
                                     {"MB", 1'000'000},
                                     {"kB", 1000},
                                     {"TiB", uint64_t{1} << 40},
                                     {"GiB", uint64_t{1} << 30},
                                     {"MiB", uint64_t{1} << 20},
                                     {"KiB", uint64_t{1} << 10},
                                     {"B", 1}}};
constexpr size_t decimals_max = 6;
constexpr uint64_t disk_default = 10'000'000'000;
constexpr uint32_t watts_max = 100'000;
constexpr string_view count_help =
    "write a whole number like 2, or a share of the machine like 50%";
constexpr string_view size_help =
    "write a number with a unit like 4GB or 512MiB, or a share like 50%";
constexpr string_view gpu_help = "write none, or how many";

/// "12.5" and what follows it: the number is digits / scale.
struct Number {
  Wide digits = 0;
  uint64_t scale = 1;
  string_view unit;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// No sign, no leading zero, at most six decimals; a space may stand before the unit.
std::optional<Number> number(string_view text) {
  const auto skip = [&](size_t at) {
    while (at < text.size() && is_digit(text[at])) {
      ++at;
    }
    return at;
  };
  const size_t whole = skip(0);
  uint64_t value = 0;
  if (whole == 0 || (whole > 1 && text.front() == '0') ||
      std::from_chars(text.data(), text.data() + whole, value).ec != std::errc()) {
    return std::nullopt;
  }
  Number read{value, 1, {}};
  size_t end = whole;
  if (whole < text.size() && text[whole] == '.') {
    end = skip(whole + 1);
    if (end == whole + 1 || end - whole - 1 > decimals_max) {
      return std::nullopt;
    }
    for (size_t at = whole + 1; at < end; ++at) {
      read.digits = read.digits * 10 + static_cast<unsigned>(text[at] - '0');
      read.scale *= 10;
    }
  }
  read.unit = text.substr(end);
  read.unit.remove_prefix(read.unit.starts_with(' ') ? 1 : 0);
  return read;
}

Error bad(
    Code code, string_view text, const std::string& what, string_view help, string_view where) {
  return refuse(code, quote(text) + " " + what, std::string(help), std::string(where));
}

/// What a value is a part of.
struct Whole {
  uint64_t size = 0;
  std::string text;  // "this machine has 8 CPUs"
  string_view help;
};

/// Above 0 and at most the whole.
Result<uint64_t> in_range(Wide value, string_view text, const Whole& whole, string_view where) {
  if (value == 0) {
    return bad(Code::out_of_range, text, "is nothing; " + whole.text, whole.help, where);
  }
  if (value > whole.size) {
    return bad(Code::out_of_range, text, "is too much: " + whole.text, whole.help, where);
  }
  return static_cast<uint64_t>(value);
}

Result<uint64_t> share(const Number& number,
                       string_view text,
                       const Whole& whole,
                       string_view where) {
  constexpr unsigned hundred = 100;
  if (number.digits > Wide{hundred} * number.scale) {
    return bad(Code::out_of_range, text, "is more than all; " + whole.text, whole.help, where);
  }
  return in_range(number.digits * whole.size / hundred / number.scale, text, whole, where);
}

Result<uint64_t> count(string_view text, const Whole& whole, string_view where) {
  const auto read = number(text);
  if (read && read->unit == "%") {
    return share(*read, text, whole, where);
  }
  if (!read || read->scale != 1 || !read->unit.empty() || text.back() == ' ') {
    return bad(Code::wrong_type, text, "is no count", whole.help, where);
  }
  return in_range(read->digits, text, whole, where);
}

Result<uint64_t> size(string_view text, const Whole& whole, string_view where) {
  const auto read = number(text);
  if (!read) {
    return bad(Code::wrong_type, text, "is no size", whole.help, where);
  }
  if (read->unit == "%") {
    return share(*read, text, whole, where);
  }
  const auto* const unit = std::find_if(
      units.begin(), units.end(), [&](const Unit& one) { return one.name == read->unit; });
  if (unit == units.end()) {
    const std::string what =
        read->unit.empty() ? "has no unit" : "has an unknown unit " + quote(read->unit);
    return bad(Code::wrong_type, text, what, whole.help, where);
  }
  const Wide scaled = read->digits * unit->size;
  if (scaled % read->scale != 0) {
    return bad(Code::wrong_type, text, "is not a whole number of bytes", whole.help, where);
  }
  return in_range(scaled / read->scale, text, whole, where);
}

Whole cpus_of(const MachineSize& machine) {
  return {machine.cpus,
          "this machine has " + std::to_string(machine.cpus) +
              (machine.cpus == 1 ? " processor" : " processors") + " to lend",
          count_help};
}

Whole bytes_of(uint64_t bytes, const char* of) {
  return {bytes, "this machine has " + size_text(bytes) + " of " + of + " to lend", size_help};
}

Result<uint32_t> gpus(string_view text, const MachineSize& machine, string_view where) {
  if (text == "none") {
    return 0;
  }
  const Whole whole{machine.gpus,
                    "this machine has " + std::to_string(machine.gpus) +
                        (machine.gpus == 1 ? " GPU" : " GPUs") + " to lend",
                    gpu_help};
  if (text.ends_with('%')) {
    return bad(Code::wrong_type, text, "is no count", whole.help, where);
  }
  return static_cast<uint32_t>(TRY(count(text, whole, where)));
}

/// A value and where it was written.
struct Written {
  std::optional<std::string> text;
  std::string where;
};
struct WrittenSlice {
  Written cpus, memory, disk, gpu, when;
};

Result<Slice> read_slice(const WrittenSlice& written, const MachineSize& machine) {
  Slice slice;
  slice.cpus = std::max(1U, machine.cpus / 2);
  slice.memory_bytes = machine.memory_bytes / 2;
  slice.disk_bytes = std::min(disk_default, machine.disk_bytes / 2);
  slice.when = {model::Hours{}};
  if (const auto& [text, where] = written.cpus; text) {
    slice.cpus = static_cast<uint32_t>(TRY(count(*text, cpus_of(machine), where)));
  }
  if (const auto& [text, where] = written.memory; text) {
    slice.memory_bytes = TRY(size(*text, bytes_of(machine.memory_bytes, "memory"), where));
  }
  if (const auto& [text, where] = written.disk; text) {
    slice.disk_bytes = TRY(size(*text, bytes_of(machine.disk_bytes, "disk"), where));
  }
  if (const auto& [text, where] = written.gpu; text) {
    slice.gpus = TRY(gpus(*text, machine, where));
  }
  if (const auto& [text, where] = written.when; text) {
    slice.when = TRY(parse_when(*text, where));
  }
  return slice;
}

/// Text of a scalar, with its place.
Result<Written> written(const YamlTree& tree,
                        const Fields& map,
                        string_view key,
                        string_view example) {
  TRY(map.require(key, example));
  const YamlKind kind = map.kind(key);
  if (kind != YamlKind::plain && kind != YamlKind::quoted) {
    return map.bad(Code::wrong_type, key, "must be one value", "write " + std::string(example));
  }
  return Written{std::string(map.text(key)), place(tree, tree.values[map.find(key)->value].offset)};
}

Result<Amount> money(const std::string& text, string_view example, string_view where) {
  const std::string help = "write it with its currency, like \"" + std::string(example) + "\"";
  const Result<Amount> amount = Amount::parse(text);
  if (!amount.ok()) {
    return bad(Code::wrong_type, text, "is no amount of money", help, where);
  }
  if (*amount < Amount()) {
    return bad(Code::out_of_range, text, "is below 0", help, where);
  }
  return *amount;
}

}  // namespace

std::string size_text(uint64_t bytes) {
  std::string shortest;
  for (const Unit& unit : units) {
    std::string text = std::to_string(bytes / unit.size) + std::string(unit.name);
    if (bytes % unit.size == 0 && bytes / unit.size > 0 &&
        (shortest.empty() || text.size() < shortest.size())) {
      shortest = std::move(text);
    }
  }
  return shortest.empty() ? "0B" : shortest;
}

Result<Slice> parse_slice_flags(const SliceFlags& flags, const MachineSize& machine) {
  return read_slice({{flags.cpus, "--cpus"},
                     {flags.memory, "--memory"},
                     {flags.disk, "--disk"},
                     {flags.gpu, "--gpu"},
                     {flags.when, "--when"}},
                    machine);
}

Result<Slice> parse_slice_file(string_view text, string_view path, const MachineSize& machine) {
  static constexpr string_view keys[] = {"cpus", "memory", "disk", "gpu", "when"};
  const YamlTree tree = TRY(parse_yaml(text, path));
  if (tree.values.empty() || tree.values.front().kind == YamlKind::null) {
    return refuse(
        Code::missing_key, "the slice file is empty", "begin with `cpus: 1`", place(tree, 0));
  }
  const Fields map = TRY(Fields::open(tree, 0, "the slice file", keys));
  WrittenSlice all;
  all.cpus = TRY(written(tree, map, "cpus", "cpus: 1"));
  all.memory = TRY(written(tree, map, "memory", "memory: 4GB"));
  all.disk = TRY(written(tree, map, "disk", "disk: 10GB"));
  all.gpu = TRY(written(tree, map, "gpu", "gpu: none"));
  all.when = TRY(written(tree, map, "when", "when: always"));
  return read_slice(all, machine);
}

std::string slice_file(const Slice& slice) {
  return "# What this machine lends. Change it and start the provider again.\n"
         "cpus: " +
         std::to_string(slice.cpus) + "\nmemory: " + size_text(slice.memory_bytes) +
         "\ndisk: " + size_text(slice.disk_bytes) +
         "\ngpu: " + (slice.gpus == 0 ? "none" : std::to_string(slice.gpus)) + "\nwhen: \"" +
         text_of(slice.when) + "\"\n";
}

Result<PriceWish> parse_price_flags(const PriceFlags& flags) {
  PriceWish wish;
  if (flags.price && *flags.price != "auto") {
    wish.fixed = TRY(money(*flags.price, "0.001 LKS", "--price"));
    if (*wish.fixed == Amount()) {
      return bad(Code::out_of_range, *flags.price, "is 0", "write auto, or a price", "--price");
    }
  }
  if (flags.power_watts.has_value() != flags.power_cost.has_value()) {
    return refuse(Code::missing_key,
                  "the cost of power needs both --power-watts and --power-cost",
                  "give both or neither",
                  flags.power_watts ? "--power-cost" : "--power-watts");
  }
  if (flags.power_watts) {
    const Whole watts{watts_max, "at most 100000 watts", "write the watts that the slice draws"};
    const auto read = number(*flags.power_watts);
    if (!read || read->scale != 1 || !read->unit.empty()) {
      return bad(Code::wrong_type, *flags.power_watts, "is no count", watts.help, "--power-watts");
    }
    wish.power_watts = static_cast<uint32_t>(
        TRY(in_range(read->digits, *flags.power_watts, watts, "--power-watts")));
    wish.power_cost = TRY(money(*flags.power_cost, "0.25 LKS", "--power-cost"));
  }
  return wish;
}

}  // namespace lockstep::spec

// One function for each map of the scenario file. The machines that roles, cheats and expectations
// name must be in the network that the file describes.
#include "spec/scenario_file.h"

#include <algorithm>

#include "model/market.h"
#include "spec/fields.h"
#include "spec/suggest.h"
#include "spec/yaml_tree.h"

namespace lockstep::spec {
namespace {

using model::Scenario;
using std::string_view;

constexpr uint64_t machines_max = 16;
constexpr uint64_t steps = 10;  // of the scenarios' tasks
constexpr uint64_t span_seconds_max = 3600;
constexpr uint64_t time_limit_max = 21'600;
constexpr size_t name_bytes_max = 64;
constexpr uint32_t millionths = 1'000'000;
constexpr size_t share_decimals = 6;

constexpr string_view scenario_keys[] = {"name",
                                         "about",
                                         "providers",
                                         "auditors",
                                         "verify",
                                         "finality",
                                         "claim_every",
                                         "roles",
                                         "cheats",
                                         "loss",
                                         "faults",
                                         "time_limit",
                                         "expect"};
constexpr string_view expect_keys[] = {
    "settles", "convicted", "never_convicted", "model", "profit"};
constexpr string_view truths[] = {"no", "yes"};
constexpr string_view models[] = {"any", "honest"};
constexpr string_view lies[] = {"skip", "bitflip"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// "0.25" in millionths: a digit 0, a point and one to six digits, above 0.
std::optional<uint32_t> part(string_view text) {
  if (!text.starts_with("0.") || text.size() == 2 || text.size() > share_decimals + 2) {
    return std::nullopt;
  }
  text.remove_prefix(2);
  uint32_t value = 0;
  for (size_t i = 0; i < share_decimals; ++i) {
    const char digit = i < text.size() ? text[i] : '0';
    if (!is_digit(digit)) {
      return std::nullopt;
    }
    value = value * 10 + static_cast<uint32_t>(digit - '0');
  }
  return value > 0 ? std::optional(value) : std::nullopt;
}

bool is_name(string_view text) {
  return !text.empty() && text.size() <= name_bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.';
         });
}

/// "a/b/replayer.yaml" gives "replayer"; "" where that is no name.
std::string stem(string_view path) {
  path = path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
  path = path.substr(0, path.rfind('.'));
  return is_name(path) ? std::string(path) : std::string();
}

/// Everybody in the network.
std::vector<std::string> machines_of(const Scenario& scenario) {
  std::vector<std::string> names = {"ledger", "requester"};
  for (uint32_t i = 1; i <= scenario.providers; ++i) {
    names.push_back("provider-" + std::to_string(i));
  }
  for (uint32_t i = 1; i <= scenario.auditors; ++i) {
    names.push_back("auditor-" + std::to_string(i));
  }
  return names;
}

Result<void> read_verify(const Fields& map, model::VerifySpec& verify) {
  static constexpr string_view next = "write none, spot:0.1 or full";
  std::string text = "full";
  TRY(map.string("verify", text));
  using model::VerifyKind;
  if (text == "none") {
    verify = {VerifyKind::none, 0, 0};
  } else if (text == "full") {
    verify = {VerifyKind::full, millionths, 0};
  } else if (const auto share = text.starts_with("spot:") ? part(text.substr(5)) : std::nullopt) {
    verify = {VerifyKind::spot, *share, 0};
  } else {
    return map.bad(Code::out_of_range, "verify", "cannot be " + quote(text), std::string(next));
  }
  return {};
}

Result<void> read_finality(const Fields& map, model::FinalitySpec& finality) {
  std::string text = "job";
  TRY(map.string("finality", text));
  finality = {model::FinalityKind::job, 0};
  if (text == "job") {
    return {};
  }
  uint64_t seconds = 0;
  const bool digits = text.size() >= 2 && text.size() <= 5 && text.back() == 's' &&
                      std::all_of(text.begin(), text.end() - 1, is_digit);
  for (size_t i = 0; digits && i + 1 < text.size(); ++i) {
    seconds = seconds * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  if (seconds == 0 || seconds > span_seconds_max || text.front() == '0') {
    return map.bad(Code::out_of_range,
                   "finality",
                   "cannot be " + quote(text),
                   "write job, or a span in whole seconds up to 3600s");
  }
  finality = {model::FinalityKind::span, seconds};
  return {};
}

/// A map from machines to words.
Result<std::vector<std::pair<std::string, std::string>>> read_machines(const Fields& map,
                                                                       const Scenario& scenario,
                                                                       string_view key) {
  const std::vector<std::string> names = machines_of(scenario);
  const std::vector<string_view> known(names.begin(), names.end());
  const Fields machines = TRY(map.child(key, known));
  std::vector<std::pair<std::string, std::string>> found;
  for (const std::string& name : names) {
    std::string word;
    TRY(machines.string(name, word));
    if (machines.has(name)) {
      found.emplace_back(name, std::move(word));
    }
    if (key == "cheats" && machines.has(name)) {
      size_t lie = 0;
      TRY(machines.choice(name, lies, lie));
      if (!name.starts_with("provider-")) {
        return machines.bad(Code::out_of_range,
                            name,
                            "computes nothing that it could lie about",
                            "name a provider");
      }
    }
  }
  return found;
}

Result<std::vector<std::string>> read_names(const YamlTree& tree,
                                            const Fields& map,
                                            const Scenario& scenario,
                                            string_view key) {
  std::vector<std::string> found;
  if (!map.has(key)) {
    return found;
  }
  const YamlValue& list = tree.values[map.find(key)->value];
  if (list.kind != YamlKind::list) {
    return map.bad(Code::wrong_type, key, "must be a list of machines", "write [provider-2]");
  }
  const std::vector<std::string> names = machines_of(scenario);
  const std::vector<string_view> known(names.begin(), names.end());
  for (const size_t item : list.items) {
    const YamlValue& value = tree.values[item];
    if (std::find(names.begin(), names.end(), value.text) == names.end()) {
      return refuse(Code::out_of_range,
                    "there is no machine " + quote(value.text),
                    advice(value.text, known),
                    place(tree, value.offset));
    }
    found.push_back(value.text);
  }
  return found;
}

Result<void> read_profit(const Fields& map, model::Expected& expect) {
  std::string text;
  TRY(map.string("profit", text));
  if (!map.has("profit")) {
    return {};
  }
  if (text == "any") {
    expect.profit_max.reset();
    return {};
  }
  const Result<Amount> amount = Amount::parse(text);
  if (!amount.ok()) {
    return map.bad(Code::out_of_range,
                   "profit",
                   "cannot be " + quote(text),
                   "write any, or an amount like \"0 LKS\"");
  }
  expect.profit_max = *amount;
  return {};
}

Result<model::Expected> read_expect(const YamlTree& tree,
                                    const Fields& scenario_map,
                                    const Scenario& scenario) {
  const Fields map = TRY(scenario_map.child("expect", expect_keys));
  model::Expected expect;
  size_t settles = 1;
  size_t honest = 1;
  TRY(map.choice("settles", truths, settles));
  TRY(map.choice("model", models, honest));
  expect.settles = settles == 1;
  expect.model_honest = honest == 1;
  expect.convicted = TRY(read_names(tree, map, scenario, "convicted"));
  expect.never_convicted = TRY(read_names(tree, map, scenario, "never_convicted"));
  TRY(read_profit(map, expect));
  return expect;
}

Result<void> read_head(const Fields& map, string_view path, Scenario& scenario) {
  scenario.name = stem(path);
  TRY(map.string("name", scenario.name));
  if (!is_name(scenario.name)) {
    return map.bad(Code::out_of_range,
                   "name",
                   "cannot be " + quote(scenario.name),
                   "use up to 64 small letters, digits, '.' and '-'");
  }
  TRY(map.require("about", "about: lies and never answers"));
  TRY(map.string("about", scenario.about));
  TRY(map.integer("providers", Range{1, machines_max}, scenario.providers));
  TRY(map.integer("auditors", Range{0, machines_max}, scenario.auditors));
  TRY(map.integer("claim_every", Range{1, model::claim_every_max(steps)}, scenario.claim_every));
  TRY(map.integer("time_limit", Range{1, time_limit_max}, scenario.time_limit_s));
  if (map.has("loss")) {
    const auto loss = part(map.text("loss"));
    if (!loss) {
      return map.bad(Code::out_of_range,
                     "loss",
                     "must be above 0 and below 1 with at most 6 decimals",
                     "write 0.01 to lose one message in a hundred");
    }
    scenario.loss_millionths = *loss;
  }
  if (map.has("faults")) {
    const auto faults = map.text("faults");
    if (faults != "random" && faults != "requester") {
      return map.bad(Code::out_of_range,
                     "faults",
                     "cannot be " + quote(faults),
                     "write random, or requester for its machine alone: each seed has a plan of "
                     "its own, within the fault model");
    }
    scenario.random_faults = faults == "random";
    scenario.requester_faults = faults == "requester";
  }
  TRY(read_verify(map, scenario.verify));
  return read_finality(map, scenario.finality);
}

}  // namespace

Result<Scenario> parse_scenario(string_view text, string_view path) {
  const YamlTree tree = TRY(parse_yaml(text, path));
  if (tree.values.empty() || tree.values.front().kind == YamlKind::null) {
    return refuse(Code::missing_key,
                  "the scenario file is empty",
                  "begin with `about: what the attackers try`",
                  place(tree, 0));
  }
  const Fields map = TRY(Fields::open(tree, 0, "the scenario file", scenario_keys));
  Scenario scenario;
  TRY(read_head(map, path, scenario));
  scenario.roles = TRY(read_machines(map, scenario, "roles"));
  scenario.cheats = TRY(read_machines(map, scenario, "cheats"));
  scenario.expect = TRY(read_expect(tree, map, scenario));
  return scenario;
}

}  // namespace lockstep::spec

// One function for each map of the job file, then the checks across keys.
#include "spec/job_file.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "base/limits.h"
#include "model/market.h"
#include "spec/fields.h"
#include "spec/suggest.h"
#include "spec/yaml_tree.h"

namespace lockstep::spec {
namespace {

using model::JobSpec;
using std::string_view;

constexpr size_t job_name_bytes_max = 64;
constexpr uint64_t blob_images_max = 1'000'000;
constexpr uint64_t rounds_max = 10'000;
constexpr uint64_t lanes_max = 64;
constexpr float lr_max = 1000;  // beyond it nothing trains
constexpr uint64_t cpus_max = 1024;
constexpr uint64_t memory_bytes_max = uint64_t{1} << 50;
constexpr uint64_t gpus_max = 64;
constexpr uint64_t copies_max = 16;
constexpr uint64_t span_seconds_max = uint64_t{30} * 86'400;
constexpr uint32_t millionths = 1'000'000;
constexpr size_t share_decimals = 6;

constexpr string_view job_keys[] = {
    "name", "model", "data", "kind", "resources", "budget", "verify", "finality", "outputs"};
constexpr string_view data_keys[] = {"format",
                                     "train_images",
                                     "train_labels",
                                     "test_images",
                                     "test_labels",
                                     "blob_images",
                                     "shuffle"};
constexpr string_view train_keys[] = {
    "loss", "optimizer", "lr", "batch", "rounds", "lanes", "local_steps", "claim_every", "seed"};
constexpr string_view optimizer_keys[] = {"name", "momentum"};
constexpr string_view lr_keys[] = {"schedule", "base", "warmup"};
constexpr string_view resource_keys[] = {"cpus", "memory", "gpu"};
constexpr string_view output_keys[] = {"weights"};

// Each in the order of its enum.
constexpr string_view formats[] = {"idx"};
constexpr string_view losses[] = {"softmax_cross_entropy"};
constexpr string_view optimizers[] = {"sgd"};
constexpr string_view schedules[] = {"constant", "warmup_cosine"};
constexpr string_view levels[] = {"none", "confirm", "spot", "replicate", "full", "self"};

struct Unit {
  string_view name;
  uint64_t size;
};
constexpr Unit memory_units[] = {{"MB", 1'000'000},
                                 {"GB", 1'000'000'000},
                                 {"TB", 1'000'000'000'000},
                                 {"MiB", uint64_t{1} << 20},
                                 {"GiB", uint64_t{1} << 30},
                                 {"TiB", uint64_t{1} << 40}};
constexpr Unit time_units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86'400}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_name_character(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
         c == '-';
}

bool is_name(string_view text) {
  return !text.empty() && text.size() <= job_name_bytes_max &&
         std::all_of(text.begin(), text.end(), is_name_character) && text.front() != '.' &&
         text.front() != '-';
}

std::optional<uint64_t> whole_number(string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool leading_zero = text.size() > 1 && text.front() == '0';
  const bool good = error == std::errc() && end == text.data() + text.size() && !leading_zero;
  return good ? std::optional(number) : std::nullopt;
}

// "2GB" and "1h": a whole number above zero and a unit. Nothing when it is anything else or wraps.
std::optional<uint64_t> with_unit(string_view text, std::span<const Unit> units) {
  const auto digits =
      static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
  const std::optional<uint64_t> number = whole_number(text.substr(0, digits));
  for (const Unit& unit : units) {
    uint64_t product = 0;
    if (number && *number > 0 && unit.name == text.substr(digits) &&
        !__builtin_mul_overflow(*number, unit.size, &product)) {
      return product;
    }
  }
  return std::nullopt;
}

// "0.1" to 100000: exact, at most six decimals, above 0 and at most 1.
std::optional<uint32_t> share(string_view text) {
  if (text.empty() || (text.front() != '0' && text.front() != '1')) {
    return std::nullopt;
  }
  string_view decimals = text.substr(1);
  if (!decimals.empty()) {
    if (decimals.front() != '.' || decimals.size() == 1 || decimals.size() > share_decimals + 1) {
      return std::nullopt;
    }
    decimals.remove_prefix(1);
  }
  uint32_t value = text.front() == '1' ? 1 : 0;
  for (size_t i = 0; i < share_decimals; ++i) {
    const char digit = i < decimals.size() ? decimals[i] : '0';
    if (!is_digit(digit)) {
      return std::nullopt;
    }
    value = value * 10 + static_cast<uint32_t>(digit - '0');
  }
  return value > 0 && value <= millionths ? std::optional(value) : std::nullopt;
}

template <class E, size_t n>
Result<void> read_choice(const Fields& map,
                         string_view key,
                         const string_view (&words)[n],
                         E& out) {
  auto index = static_cast<size_t>(out);
  TRY(map.choice(key, words, index));
  out = static_cast<E>(index);
  return {};
}

// "a/b/job.yaml" gives "job"; what a name may not hold becomes '-'.
std::string stem(string_view path) {
  path = path.substr(path.find_last_of("/\\") + 1);  // npos + 1 is 0
  if (const size_t dot = path.rfind('.'); dot != string_view::npos && dot > 0) {
    path = path.substr(0, dot);
  }
  std::string name(path.substr(0, job_name_bytes_max));
  for (char& c : name) {
    c = is_name_character(c) ? c : '-';
  }
  name.erase(0, std::min(name.find_first_not_of(".-"), name.size()));
  return name.empty() ? "job" : name;
}

Result<void> read_name(const Fields& job, string_view path, std::string& out) {
  out = stem(path);
  TRY(job.string("name", out));
  if (job.has("name") && !is_name(out)) {
    return job.bad(Code::out_of_range,
                   "name",
                   "cannot be " + quote(out),
                   "use up to 64 letters, digits, '.', '_' and '-', a letter or digit first");
  }
  return {};
}

Result<model::DataSpec> read_data(const Fields& job) {
  TRY(job.require("data", "data: {train_images: images.gz, train_labels: labels.gz}"));
  const Fields map = TRY(job.child("data", data_keys));
  model::DataSpec data;
  TRY(read_choice(map, "format", formats, data.format));
  TRY(map.require("train_images", "train_images: images.gz"));
  TRY(map.require("train_labels", "train_labels: labels.gz"));
  TRY(map.string("train_images", data.train_images));
  TRY(map.string("train_labels", data.train_labels));
  if (map.has("test_images") || map.has("test_labels")) {
    TRY(map.require("test_images", "test_images: images.gz"));
    TRY(map.require("test_labels", "test_labels: labels.gz"));
  }
  TRY(map.string("test_images", data.test_images));
  TRY(map.string("test_labels", data.test_labels));
  TRY(map.integer("blob_images", Range{1, blob_images_max}, data.blob_images));
  TRY(map.integer("shuffle", Range{}, data.shuffle_seed));
  return data;
}

Result<model::OptimizerSpec> read_optimizer(const Fields& train) {
  model::OptimizerSpec optimizer;
  if (train.has("optimizer") && train.kind("optimizer") != YamlKind::map) {
    TRY(read_choice(train, "optimizer", optimizers, optimizer.kind));
    return optimizer;
  }
  const Fields map = TRY(train.child("optimizer", optimizer_keys));
  TRY(read_choice(map, "name", optimizers, optimizer.kind));
  TRY(map.number("momentum", optimizer.momentum));
  if (!(optimizer.momentum >= 0 && optimizer.momentum < 1)) {
    return map.bad(Code::out_of_range,
                   "momentum",
                   "must be at least 0 and below 1 as a 32-bit float",
                   "write a number like 0.9");
  }
  return optimizer;
}

Result<void> check_rate(const Fields& map, string_view key, float rate) {
  if (!(rate > 0 && rate <= lr_max)) {
    return map.bad(Code::out_of_range,
                   key,
                   "must be above 0 and at most 1000 as a 32-bit float",
                   "write a number like 0.05");
  }
  return {};
}

Result<model::LearningRateSpec> read_lr(const Fields& train, uint64_t steps) {
  model::LearningRateSpec lr;
  if (train.has("lr") && train.kind("lr") != YamlKind::map) {
    lr.schedule = model::Schedule::constant;
    lr.warmup_steps = 0;
    TRY(train.number("lr", lr.base));
    TRY(check_rate(train, "lr", lr.base));
    return lr;
  }
  const Fields map = TRY(train.child("lr", lr_keys));
  TRY(read_choice(map, "schedule", schedules, lr.schedule));
  TRY(map.number("base", lr.base));
  TRY(check_rate(map, "base", lr.base));
  if (lr.schedule == model::Schedule::constant) {
    lr.warmup_steps = 0;
    if (map.has("warmup")) {
      return map.bad(Code::out_of_range,
                     "warmup",
                     "has no meaning for a constant rate",
                     "remove it or write `schedule: warmup_cosine`");
    }
    return lr;
  }
  lr.warmup_steps = static_cast<uint32_t>(std::min<uint64_t>(lr.warmup_steps, steps));
  TRY(map.integer("warmup", Range{0, steps}, lr.warmup_steps));
  return lr;
}

Result<model::TrainSpec> read_train(const Fields& job) {
  const Fields map = TRY(job.child("train", train_keys));
  model::TrainSpec train;
  TRY(read_choice(map, "loss", losses, train.loss));
  train.optimizer = TRY(read_optimizer(map));
  TRY(map.integer("batch", Range{1, blob_images_max}, train.batch));
  TRY(map.integer("rounds", Range{1, rounds_max}, train.rounds));
  TRY(map.integer("lanes", Range{1, lanes_max}, train.lanes));
  TRY(map.integer("local_steps", Range{1, limits::task_steps_max}, train.local_steps));
  const uint32_t claim_every_max = model::claim_every_max(train.local_steps);
  train.claim_every = std::min(train.claim_every, claim_every_max);
  TRY(map.integer("claim_every", Range{1, claim_every_max}, train.claim_every));
  TRY(map.integer("seed", Range{}, train.seed));
  train.lr = TRY(read_lr(map, uint64_t{train.rounds} * train.local_steps));
  return train;
}

// A task reads one blob, so one blob must hold the images of all its steps.
Result<void> check_blob(const Fields& job, const JobSpec& spec) {
  const uint64_t images = uint64_t{spec.train.batch} * spec.train.local_steps;
  if (images <= spec.data.blob_images) {
    return {};
  }
  const Fields train = TRY(job.child("train", train_keys));
  const Fields data = TRY(job.child("data", data_keys));
  const std::string what = "does not fit: batch x local_steps = " + std::to_string(images) +
                           " images a task, but data.blob_images is " +
                           std::to_string(spec.data.blob_images);
  const std::string next = "lower batch or local_steps, or raise data.blob_images";
  for (const string_view key : {"local_steps", "batch"}) {
    if (train.has(key)) {
      return train.bad(Code::out_of_range, key, what, next);
    }
  }
  return data.bad(Code::out_of_range, "blob_images", what, next);
}

// none, any, A100, A100:2
Result<void> read_gpu(const Fields& map, model::GpuSpec& gpu) {
  if (!map.has("gpu")) {
    return {};
  }
  std::string text;
  TRY(map.string("gpu", text));
  if (text == "none") {
    return {};
  }
  const size_t colon = text.find(':');
  const std::optional<uint64_t> count =
      colon == std::string::npos ? 1 : whole_number(string_view(text).substr(colon + 1));
  const std::string name = text.substr(0, colon);
  if (!is_name(name) || name == "none" || !count || *count == 0 || *count > gpus_max) {
    return map.bad(Code::out_of_range,
                   "gpu",
                   "cannot be " + quote(text),
                   "write none, any, a name like A100, or a name and a count up to 64: A100:2");
  }
  gpu = model::GpuSpec{static_cast<uint32_t>(*count), name};
  return {};
}

Result<model::ResourceSpec> read_resources(const Fields& job) {
  const Fields map = TRY(job.child("resources", resource_keys));
  model::ResourceSpec resources;
  if (map.has("cpus")) {
    uint32_t cpus = 0;
    TRY(map.integer("cpus", Range{1, cpus_max}, cpus));
    resources.cpus = cpus;
  }
  if (map.has("memory")) {
    std::string text;
    TRY(map.string("memory", text));
    resources.memory_bytes = with_unit(text, memory_units);
    if (!resources.memory_bytes || *resources.memory_bytes > memory_bytes_max) {
      return map.bad(Code::out_of_range,
                     "memory",
                     "cannot be " + quote(text),
                     "write a whole number and MB, GB, TB, MiB, GiB or TiB, like \"2GB\"");
    }
  }
  TRY(read_gpu(map, resources.gpu));
  return resources;
}

Result<void> read_budget(const Fields& job, std::optional<Amount>& out) {
  if (!job.has("budget")) {
    return {};
  }
  static constexpr string_view next = "write it with its currency, like \"25 LKS\"";
  const Result<Amount> amount = Amount::parse(job.text("budget"));
  if (!amount.ok() && amount.error().code == Code::not_canonical) {
    return job.bad(Code::wrong_type, "budget", "must be an amount of money", std::string(next));
  }
  if (!amount.ok() || *amount <= Amount()) {
    return job.bad(Code::out_of_range,
                   "budget",
                   "must be above 0 and below 9223372036 LKS",
                   std::string(next));
  }
  out = *amount;
  return {};
}

// `verify` out of its two parts, the word and what stands behind the colon.
Result<model::VerifySpec> verify_of(const Fields& job,
                                    model::VerifyKind kind,
                                    std::optional<string_view> argument) {
  using model::VerifyKind;
  model::VerifySpec verify{kind, 0, 0};
  if (kind == VerifyKind::spot) {
    const std::optional<uint32_t> part = share(argument.value_or(""));
    if (!part) {
      return job.bad(Code::out_of_range,
                     "verify",
                     "needs a share above 0 and at most 1 with at most 6 decimals",
                     "write `spot:0.1` to have a tenth of the tasks re-executed");
    }
    verify.share_millionths = *part;
    verify.kind = *part == millionths ? VerifyKind::full : kind;
    return verify;
  }
  if (kind == VerifyKind::replicate) {
    const std::optional<uint64_t> copies = whole_number(argument.value_or(""));
    if (!copies || *copies < 2 || *copies > copies_max) {
      return job.bad(Code::out_of_range,
                     "verify",
                     "needs a number of copies from 2 to 16",
                     "write `replicate:2` to have each task run by two owners");
    }
    verify.copies = static_cast<uint32_t>(*copies);
    return verify;
  }
  if (argument) {
    return job.bad(Code::out_of_range,
                   "verify",
                   "takes nothing behind " + quote(levels[static_cast<size_t>(kind)]),
                   "remove the colon and what follows it");
  }
  verify.share_millionths = kind == VerifyKind::full ? millionths : 0;
  return verify;
}

Result<model::VerifySpec> read_verify(const Fields& job) {
  if (!job.has("verify")) {
    return model::VerifySpec{};
  }
  std::string text;
  TRY(job.string("verify", text));
  const size_t colon = text.find(':');
  const string_view word = string_view(text).substr(0, colon);
  const auto found = std::find(std::begin(levels), std::end(levels), word);
  if (found == std::end(levels)) {
    return job.bad(Code::out_of_range, "verify", "cannot be " + quote(text), advice(word, levels));
  }
  std::optional<string_view> argument;
  if (colon != std::string::npos) {
    argument = string_view(text).substr(colon + 1);
  }
  return verify_of(job, static_cast<model::VerifyKind>(found - std::begin(levels)), argument);
}

Result<model::FinalitySpec> read_finality(const Fields& job) {
  using model::FinalityKind;
  if (!job.has("finality")) {
    return model::FinalitySpec{};
  }
  std::string text;
  TRY(job.string("finality", text));
  if (text == "job") {
    return model::FinalitySpec{FinalityKind::job, 0};
  }
  const std::optional<uint64_t> seconds = with_unit(text, time_units);
  if (!seconds || *seconds > span_seconds_max) {
    return job.bad(Code::out_of_range,
                   "finality",
                   "cannot be " + quote(text),
                   "write job, or a span up to 30 days: 30s, 15m, 1h, 2d");
  }
  return model::FinalitySpec{FinalityKind::span, *seconds};
}

// The kind says which section may stand beside what every job has.
Result<model::JobKind> read_kind(const Fields& job) {
  auto kind = model::JobKind::train;
  TRY(read_choice(job, "kind", model::job_kind_names, kind));
  for (const string_view section : model::job_kind_names) {
    if (section != model::name_of(kind) && job.has(section)) {
      return job.bad(Code::unknown_key,
                     section,
                     "does not belong to a job of kind " + quote(model::name_of(kind)),
                     "remove it or write `kind: " + std::string(section) + "`");
    }
  }
  return kind;
}

Result<model::OutputSpec> read_outputs(const Fields& job) {
  const Fields map = TRY(job.child("outputs", output_keys));
  model::OutputSpec outputs;
  TRY(map.path("weights", ".safetensors", outputs.weights));
  return outputs;
}

}  // namespace

Result<JobSpec> parse_job(string_view text, string_view path) {
  YamlTree tree = TRY(parse_yaml(text, path));
  if (tree.values.empty() || tree.values.front().kind == YamlKind::null) {
    return refuse(Code::missing_key,
                  "the job file is empty",
                  "begin with `model: model.onnx`",
                  place(tree, 0));
  }
  std::vector<string_view> keys(std::begin(job_keys), std::end(job_keys));
  keys.insert(keys.end(), std::begin(model::job_kind_names), std::end(model::job_kind_names));
  const Fields job = TRY(Fields::open(tree, 0, "the job file", keys));
  JobSpec spec;
  spec.kind = TRY(read_kind(job));
  TRY(read_name(job, path, spec.name));
  TRY(job.require("model", "model: model.onnx"));
  TRY(job.path("model", ".onnx", spec.model));
  spec.data = TRY(read_data(job));
  spec.resources = TRY(read_resources(job));
  TRY(read_budget(job, spec.budget));
  spec.verify = TRY(read_verify(job));
  spec.finality = TRY(read_finality(job));
  spec.outputs = TRY(read_outputs(job));
  if (spec.kind == model::JobKind::train) {
    spec.train = TRY(read_train(job));
    TRY(check_blob(job, spec));
    return spec;
  }
  TRY(job.require(model::name_of(spec.kind), std::string(model::name_of(spec.kind)) + ": {...}"));
  spec.file = std::move(tree);  // `job` looks into it: not used any more
  return spec;
}

}  // namespace lockstep::spec

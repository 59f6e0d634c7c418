#include "apps/sim_run.h"

#include <charconv>

#include "apps/job_end.h"
#include "apps/job_input.h"
#include "apps/page.h"
#include "apps/sim_teller.h"
#include "law/roots.h"
#include "platform/files.h"
#include "prepare/prepare.h"

namespace lockstep::apps {
namespace {

constexpr size_t replay_bytes_max = size_t{1} << 26;

Error bad_flag(const std::string& flag, const std::string& value, const std::string& form) {
  return refuse(Code::bad_option, "\"" + value + "\" is not understood", "write " + form, flag);
}

/// "provider-3" before `mark`, and what follows it.
std::optional<std::pair<uint32_t, std::string>> provider_and_rest(const std::string& text,
                                                                  char mark) {
  constexpr std::string_view prefix = "provider-";
  const size_t at = text.find(mark);
  if (!text.starts_with(prefix) || at == std::string::npos) {
    return std::nullopt;
  }
  uint32_t number = 0;
  const char* const first = text.data() + prefix.size();
  const char* const last = text.data() + at;
  const auto [end, error] = std::from_chars(first, last, number);
  if (error != std::errc() || end != last) {
    return std::nullopt;
  }
  return std::pair(number, text.substr(at + 1));
}

Result<sim::Options> world_options(const SimOptions& options) {
  sim::Options world;
  world.seed = options.seed;
  world.providers = options.providers;
  world.auditors = options.auditors;
  for (const std::string& text : options.cheats) {
    const auto parts = provider_and_rest(text, ':');
    const auto kind = parts ? sim::cheat_named(parts->second) : std::nullopt;
    if (!kind) {
      return bad_flag("--cheat", text, "provider-N:skip or provider-N:bitflip");
    }
    world.cheats.push_back({parts->first, *kind});
  }
  for (const std::string& text : options.crashes) {
    const auto parts = provider_and_rest(text, '@');
    constexpr std::string_view prefix = "round=";
    uint32_t round = 0;
    bool good = parts && parts->second.starts_with(prefix);
    if (good) {
      const char* const last = parts->second.data() + parts->second.size();
      const auto [end, error] = std::from_chars(parts->second.data() + prefix.size(), last, round);
      good = error == std::errc() && end == last;
    }
    if (!good) {
      return bad_flag("--crash", text, "provider-N@round=R");
    }
    world.crashes.push_back({parts->first, round, std::nullopt});
  }
  return world;
}

/// One run: the world, the job, and what is written in the end.
class Run {
 public:
  Run(const SimOptions& options, const Report& report)
      : options_(options), report_(report), blobs_(values_, law::data_mode()) {}

  Result<void> all() {
    const uint64_t start = clock_.now_ns();
    const tensor::Isa isa = TRY(choose_isa());
    const model::JobSpec spec = TRY(read_job(files_, options_.job_path));
    sim::Options world_of = TRY(world_options(options_));
    prepared_ = TRY(prepare::prepare(spec, folder_of(options_.job_path), files_, blobs_));
    const model::Job& job = prepared_->job;
    world_of.memory_bytes = TRY(memory_of(job));
    const uint64_t operations = TRY(tell_plan(report_, job));
    note_about(world_of);
    SimTeller teller(report_, job.spec, operations, clock_);
    auto world =
        TRY(sim::World::create(world_of, job, blobs_, clock_, {options_.threads, isa, false}));
    teller.watch(*world);
    TRY(world->run(teller));
    TRY(finish(*world, teller.teller()));
    tell_time(*world, start);
    return {};
  }

 private:
  void note_about(const sim::Options& world) const {
    const bool full = prepared_->job.spec.verify.kind == model::VerifyKind::full;
    for (const sim::CheatSpec& cheat : world.cheats) {
      if (cheat.kind == sim::CheatKind::bitflip && !full) {
        report_.tell("note: one flipped bit is caught for sure only under verify: full",
                     "note",
                     {{"cheat", sim::name_of(cheat.kind)}});
      }
    }
  }

  Result<void> finish(sim::World& world, const Teller& teller) {
    const auto& finished = teller.finished();
    if (!finished) {
      return refuse(Code::internal, "the job was settled without an end");
    }
    const JobEnd end{
        report_, prepared_->job, prepared_->model, blobs_, files_, options_.out_folder};
    TRY(tell_results(end, *finished));
    teller.tell_settlement();
    teller.tell_accounts();
    std::vector<model::Block> blocks;
    const uint64_t height = world.sequencer().height();
    while (blocks.size() < height) {
      constexpr size_t at_once = 64;
      auto more = TRY(world.sequencer().blocks(blocks.size() + 1, at_once));
      std::move(more.begin(), more.end(), std::back_inserter(blocks));
    }
    return write_receipt(
        end, world.genesis(), blocks, world.sequencer().ledger().state(), world.requester());
  }

  void tell_time(const sim::World& world, uint64_t start) const {
    const double seconds = static_cast<double>(clock_.now_ns() - start) * 1e-9;
    const exec::Meter meter = world.meter();
    const auto compute = static_cast<double>(meter.compute_ns);
    const auto hash = static_cast<double>(meter.hash_ns);
    const double share = compute + hash > 0 ? 100 * hash / (compute + hash) : 0;
    report_.aside(
        text_of("time: %.1f s (%.1f s of network time), %.1f %% of the engines' time spent hashing",
                seconds,
                static_cast<double>(world.now_ms()) * 1e-3,
                share),
        "time",
        {{"seconds", seconds}, {"network_ms", world.now_ms()}, {"hash_percent", share}});
  }

  const SimOptions& options_;
  const Report& report_;
  platform::Files files_;
  mutable platform::Clock clock_;
  env::MemoryKeyValue values_;
  store::Blobs blobs_;
  std::optional<prepare::Prepared> prepared_;
};

nlohmann::json to_json(const SimOptions& options) {
  return {{"format", "lockstep-replay-1"},
          {"job", options.job_path},
          {"seed", options.seed},
          {"providers", options.providers},
          {"auditors", options.auditors},
          {"cheats", options.cheats},
          {"crashes", options.crashes}};
}

ByteView bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

Result<SimOptions> from_json(const Bytes& bytes, const std::string& path) {
  const auto json = nlohmann::json::parse(bytes, nullptr, false);
  const Error bad = refuse(Code::bad_option,
                           "this is no record of a run",
                           "name the replay.json that `lockstep sim run --out` wrote",
                           path);
  if (!json.is_object() || json.value("format", nlohmann::json()) != "lockstep-replay-1") {
    return bad;
  }
  SimOptions options;
  try {
    json.at("job").get_to(options.job_path);
    json.at("seed").get_to(options.seed);
    json.at("providers").get_to(options.providers);
    json.at("auditors").get_to(options.auditors);
    json.at("cheats").get_to(options.cheats);
    json.at("crashes").get_to(options.crashes);
  } catch (const nlohmann::json::exception&) {
    return bad;
  }
  return options;
}

}  // namespace

Exit sim_run(const SimOptions& options) {
  std::vector<std::string> events;
  RunRecord record;
  const Report report(options.json, &events, &record);
  Run run(options, report);
  const Result<void> done = run.all();
  if (!options.out_folder.empty()) {
    std::string lines;
    for (const std::string& event : events) {
      lines += event + "\n";
    }
    platform::Files files;
    const auto wrote = files.write(options.out_folder + "/events.jsonl", bytes_of(lines));
    const std::string replay = to_json(options).dump(2) + "\n";
    const auto also = files.write(options.out_folder + "/replay.json", bytes_of(replay));
    record.failed = done.ok() ? std::string() : done.error().message();
    const std::string path = options.out_folder + "/report.html";
    const auto page = files.write(path, bytes_of(write_page(record)));
    for (const auto* file : {&wrote, &also, &page}) {
      if (done.ok() && !file->ok()) {
        return report.fail(file->error());
      }
    }
    report.aside("report: " + path, "report", {{"path", path}});
  }
  return done.ok() ? Exit::ok : report.fail(done.error());
}

Exit sim_replay(const std::string& path, bool json) {
  const Report report(json);
  platform::Files files;
  const auto bytes = files.read(path, replay_bytes_max);
  if (!bytes.ok()) {
    return report.fail(bytes.error());
  }
  const auto options = from_json(*bytes, path);
  if (!options.ok()) {
    return report.fail(options.error());
  }
  const std::string folder = folder_of(path);
  const auto recorded =
      files.read((folder.empty() ? "" : folder + "/") + "events.jsonl", replay_bytes_max);
  if (!recorded.ok()) {
    return report.fail(recorded.error());
  }
  std::vector<std::string> events;
  const Report again(json, &events);
  Run run(*options, again);
  const auto done = run.all();
  std::string lines;
  for (const std::string& event : events) {
    lines += event + "\n";
  }
  if (!done.ok() && events.empty()) {
    return report.fail(done.error());
  }
  const std::string before(recorded->begin(), recorded->end());
  if (lines == before) {
    report.aside("replay: the same " + std::to_string(events.size()) + " events",
                 "replay",
                 {{"same", true}, {"events", events.size()}});
    return Exit::ok;
  }
  size_t line = 1;
  for (size_t i = 0; i < std::min(lines.size(), before.size()) && lines[i] == before[i]; ++i) {
    line += lines[i] == '\n' ? 1 : 0;
  }
  report.aside("replay: event " + std::to_string(line) + " differs from the record",
               "replay",
               {{"same", false}, {"line", line}});
  return Exit::failed;
}

}  // namespace lockstep::apps

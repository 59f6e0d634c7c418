// The `lockstep` command: reads the command line and hands over.
#include <CLI/CLI.hpp>

#include "apps/job_input.h"
#include "apps/network_commands.h"
#include "apps/own_commands.h"
#include "apps/replay.h"
#include "apps/scenario_check.h"
#include "apps/sim_run.h"
#include "apps/verify.h"
#include "law/types.h"

namespace {

using lockstep::apps::Exit;

struct Line {
  lockstep::apps::SimOptions sim;
  lockstep::apps::CheckOptions check;
  std::string path;
  std::string recorded;  // a network's folder
  bool json = false;
};

void add_sim_run(CLI::App& sim, Line& line) {
  CLI::App* const run = sim.add_subcommand("run", "train a job on a simulated market");
  lockstep::apps::SimOptions& options = line.sim;
  run->add_option("job", options.job_path, "the job file")->required();
  run->add_option(
         "--providers", options.providers, "machines for rent, besides one that is too small")
      ->capture_default_str();
  run->add_option("--auditors", options.auditors, "auditors; with none the requester audits")
      ->capture_default_str();
  run->add_option("--cheat", options.cheats, "a liar: provider-N:skip or provider-N:bitflip");
  run->add_option("--crash", options.crashes, "a machine that dies: provider-N@round=R");
  run->add_option("--seed", options.seed, "of draws and network; never changes the model")
      ->capture_default_str();
  run->add_option("--out", options.out_folder, "folder for weights, receipt and record of the run");
  run->add_option("--threads", options.threads, "threads of the engine; never changes a bit")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  run->add_flag("--json", options.json, "one event per line");
}

CLI::App* add_sim_check(CLI::App& sim, Line& line) {
  CLI::App* const check =
      sim.add_subcommand("check", "run attacks over many seeds and compare with what must come");
  lockstep::apps::CheckOptions& options = line.check;
  check->add_option("scenario", options.paths, "scenario files")->required();
  check->add_option("--seeds", options.seeds, "how many networks of each")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  check->add_option("--first-seed", options.first_seed, "the seed of the first")
      ->capture_default_str();
  check
      ->add_option(
          "--seconds", options.seconds, "go on with new seeds for so long, not for --seeds")
      ->check(CLI::Range(1, 1'000'000));
  check->add_flag("--table", options.table, "one row of Markdown a scenario");
  check->add_flag("--json", options.json, "one event per line");
  return check;
}

int run(int argc, char** argv) {
  CLI::App app{"Lockstep: rent computers you don't trust, pay only for work that is right."};
  app.require_subcommand(1);
  Line line;
  lockstep::apps::NetworkCommands network(app);
  const lockstep::apps::OwnCommands own(app);

  CLI::App* const sim =
      app.add_subcommand("sim", "a whole network in one process, in virtual time");
  sim->require_subcommand(1);
  add_sim_run(*sim, line);
  const CLI::App* const check = add_sim_check(*sim, line);
  CLI::App* const replay = sim->add_subcommand(
      "replay", "run again what a replay.json describes and compare every event");
  CLI::Option* const one = replay->add_option("record", line.path, "the replay.json of a run");
  replay->add_option("--recorded", line.recorded, "instead: a stopped network's folder")
      ->excludes(one);
  replay->add_flag("--json", line.json, "one event per line");

  CLI::App* const validate = app.add_subcommand("validate", "check a job file and run nothing");
  validate->add_option("job", line.path, "the job file")->required();
  validate->add_flag("--json", line.json, "one event per line");

  CLI::App* const verify =
      app.add_subcommand("verify", "check a receipt offline, from nothing but itself");
  verify->add_option("receipt", line.path, "the receipt.json of a run")->required();
  verify->add_flag("--json", line.json, "one event per line");

  CLI::App* const version =
      app.add_subcommand("version", "print the program's and the law's version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(Exit::invalid_input);
  }
  if (const auto exit = network.run()) {
    return static_cast<int>(*exit);
  }
  if (const auto exit = own.run()) {
    return static_cast<int>(*exit);
  }
  if (*version) {
    std::printf("lockstep 0.1.0, law %d\n", static_cast<int>(lockstep::law::law_version));
    return 0;
  }
  if (*validate) {
    return static_cast<int>(lockstep::apps::validate_job(line.path, line.json));
  }
  if (*verify) {
    return static_cast<int>(lockstep::apps::verify_receipt(line.path, line.json));
  }
  if (*check) {
    return static_cast<int>(lockstep::apps::sim_check(line.check));
  }
  if (*replay) {
    return static_cast<int>(line.recorded.empty()
                                ? lockstep::apps::sim_replay(line.path, line.json)
                                : lockstep::apps::replay_recorded(line.recorded, line.json));
  }
  return static_cast<int>(lockstep::apps::sim_run(line.sim));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(Exit::failed);
  }
}

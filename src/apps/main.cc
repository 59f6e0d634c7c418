// The `lockstep` command: reads the command line and hands over.
#include <CLI/CLI.hpp>

#include "apps/run_job.h"
#include "law/types.h"

namespace {

using lockstep::apps::Exit;

int run(int argc, char** argv) {
  CLI::App app{"Lockstep: rent computers you don't trust, pay only for work that is right."};
  app.require_subcommand(1);
  lockstep::apps::RunOptions options;

  CLI::App* const sim = app.add_subcommand("sim", "run a job on a simulated network");
  sim->require_subcommand(1);
  CLI::App* const sim_run =
      sim->add_subcommand("run", "run a job file; one local executor, no money");
  sim_run->add_option("job", options.job_path, "the job file")->required();
  sim_run->add_option("--out", options.out_folder, "folder for the trained weights");
  sim_run->add_option("--threads", options.threads, "threads of the engine; never changes a bit")
      ->check(CLI::Range(1, 256));
  sim_run->add_flag("--json", options.json, "one event per line");

  CLI::App* const validate = app.add_subcommand("validate", "check a job file and run nothing");
  validate->add_option("job", options.job_path, "the job file")->required();
  validate->add_flag("--json", options.json, "one event per line");

  CLI::App* const version =
      app.add_subcommand("version", "print the program's and the law's version");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(Exit::invalid_input);
  }
  if (*version) {
    std::printf("lockstep 0.1.0, law %d\n", static_cast<int>(lockstep::law::law_version));
    return 0;
  }
  return static_cast<int>(*validate ? lockstep::apps::validate_job(options)
                                    : lockstep::apps::run_job(options));
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

// The scripts that shells read: bash takes them and completes every subcommand and flag of a tree.
#include "apps/completion.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

/// A command line with everything that ours has, and words that shells could stumble over.
struct Tree {
  CLI::App app{"a program"};
  std::string text;
  int number = 0;
  bool flag = false;
  Tree() {
    CLI::App* const sim = app.add_subcommand("sim", "it's a \"whole\" network; $(rm) `x` \\");
    CLI::App* const run = sim->add_subcommand("run", "a NAME of a PROGRAM");
    run->add_option("job", text, "the job file")->required();
    run->add_option("--out,-o", text, "folder");
    run->add_option("--threads", number, "threads")->check(CLI::Range(1, 8));
    run->add_flag("--json", flag, "one event per line");
    run->add_option("--hidden", text)->group("");
    run->add_option_group("more", "a group")->add_option("--grouped", text, "in a group");
    sim->add_subcommand("check", "check");
    CLI::App* const completion = app.add_subcommand("completion", "for shells");
    completion->add_option("shell", text, "which")->check(CLI::IsMember({"bash", "zsh", "fish"}));
    completion->add_option("--style", text, "how")->check(CLI::IsMember({"plain", "rich"}));
    app.add_subcommand("secret", "not shown")->group("");
  }
};

class Completion : public ::testing::Test {
 public:
  ~Completion() override { fs::remove(path_); }

 protected:
  Completion() : path_(::testing::TempDir() + "completion_" + std::to_string(::getpid())) {
    std::ofstream(path_) << completion_script(tree_.app, "lockstep", Shell::bash);
  }

  /// What a bash command prints; its status must be 0.
  static std::string output_of(const std::string& command) {
    const std::string file = ::testing::TempDir() + "completion_cmd_" + std::to_string(::getpid());
    std::ofstream(file) << command;
    FILE* const pipe = ::popen(("bash --norc " + file + " 2>&1").c_str(), "r");
    std::string text;
    for (int letter = std::fgetc(pipe); letter != EOF; letter = std::fgetc(pipe)) {
      text += static_cast<char>(letter);
    }
    EXPECT_EQ(::pclose(pipe), 0) << command << text;
    fs::remove(file);
    return text;
  }
  /// What is offered for the last of `words`.
  [[nodiscard]] std::set<std::string> offered(const std::string& words) const {
    std::istringstream text(output_of("set -u\nsource '" + path_ + "'\nCOMP_WORDS=(" + words +
                                      ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_lockstep\n"
                                      "((${#COMPREPLY[@]} == 0)) || printf '%s\\n' "
                                      "\"${COMPREPLY[@]}\"\n"));
    std::set<std::string> found;
    for (std::string line; std::getline(text, line);) {
      found.insert(line);
    }
    return found;
  }

  using Words = std::set<std::string>;
  Tree tree_;         // NOLINT(misc-non-private-member-variables-in-classes)
  std::string path_;  // NOLINT(misc-non-private-member-variables-in-classes)
};

TEST_F(Completion, BashTakesTheScript) {
  EXPECT_EQ(output_of("bash -n '" + path_ + "'"), "");
  EXPECT_EQ(output_of("source '" + path_ + "'; complete -p lockstep"),
            "complete -o default -F _lockstep lockstep\n");
}

TEST_F(Completion, OffersSubcommands) {
  EXPECT_EQ(offered("lockstep ''"), (Words{"sim", "completion"}));
  EXPECT_EQ(offered("lockstep s"), (Words{"sim"}));
  EXPECT_EQ(offered("lockstep sim ''"), (Words{"run", "check"}));
  EXPECT_EQ(offered("lockstep sim r"), (Words{"run"}));
  EXPECT_EQ(offered("lockstep nothing"), Words{});
}

TEST_F(Completion, OffersFlagsOfThePlace) {
  EXPECT_EQ(offered("lockstep -"), (Words{"--help", "-h"}));
  EXPECT_EQ(offered("lockstep sim run --"),
            (Words{"--help", "--out", "--threads", "--json", "--grouped"}));
  EXPECT_EQ(offered("lockstep sim run --j"), (Words{"--json"}));
  EXPECT_EQ(offered("lockstep sim run x.yaml --json --th"), (Words{"--threads"}));
}

TEST_F(Completion, KnowsValuesAndDoesNotTakeThemForCommands) {
  EXPECT_EQ(offered("lockstep completion ''"), (Words{"bash", "zsh", "fish"}));
  EXPECT_EQ(offered("lockstep completion --style ''"), (Words{"plain", "rich"}));
  EXPECT_EQ(offered("lockstep completion --style p"), (Words{"plain"}));
  EXPECT_EQ(offered("lockstep sim run --out ''"), Words{}) << "bash itself offers files";
  EXPECT_EQ(offered("lockstep sim run -o sim --j"), (Words{"--json"}));
  EXPECT_EQ(offered("lockstep sim run -o run --style"), Words{});
}

TEST_F(Completion, EveryShellsScriptHasEveryWordButTheHidden) {
  for (const Shell shell : {Shell::bash, Shell::zsh, Shell::fish}) {
    const std::string script = completion_script(tree_.app, "lockstep", shell);
    for (const char* const word : {"sim",
                                   "run",
                                   "check",
                                   "completion",
                                   "out",
                                   "threads",
                                   "json",
                                   "grouped",
                                   "style",
                                   "plain",
                                   "zsh"}) {
      EXPECT_NE(script.find(word), std::string::npos) << word;
    }
    EXPECT_EQ(script.find("hidden"), std::string::npos);
    EXPECT_EQ(script.find("secret"), std::string::npos);
    EXPECT_EQ(script.find('@' + std::string("NAME")), std::string::npos);
    EXPECT_EQ(script.find('@' + std::string("PROGRAM")), std::string::npos);
  }
  const std::string fish = completion_script(tree_.app, "lockstep", Shell::fish);
  EXPECT_NE(fish.find("'it\\'s a \"whole\" network; $(rm) `x` \\\\'"), std::string::npos);
  EXPECT_NE(fish.find("'a NAME of a PROGRAM'"), std::string::npos);
}

TEST(CompletionShell, IsNamedOrRefused) {
  EXPECT_EQ(parse_shell("bash").value(), Shell::bash);
  EXPECT_EQ(parse_shell("zsh").value(), Shell::zsh);
  EXPECT_EQ(parse_shell("fish").value(), Shell::fish);
  EXPECT_EQ(parse_shell("fsh").error().next, "did you mean \"zsh\"?");
  EXPECT_EQ(parse_shell("powershell").error().code, Code::bad_option);
}

}  // namespace
}  // namespace lockstep::apps

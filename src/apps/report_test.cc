// The exit code of every error code, and the sentences for everyday mistakes.
#include "apps/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "apps/hints.h"

namespace lockstep::apps {
namespace {

/// Exit codes of all that are neither 1 (faults) nor 2 (input).
const std::map<std::string, int>& special() {
  static const std::map<std::string, int> all = {
      {"not_registered", 3},
      {"no_network", 3},
      {"bad_folder", 3},
      {"in_use", 4},
      {"not_permitted", 4},
      {"over_budget", 5},
      {"low_funds", 5},
      {"low_stake", 5},
      {"no_offer", 6},
      {"bad_receipt", 7},
      {"not_trusted", 7},
      {"unreachable", 8},
      {"timed_out", 9},
      {"cancelled", 130},
  };
  return all;
}

/// Name and number of every code, from the header itself: none can be forgotten.
std::map<std::string, uint16_t> codes() {
  std::ifstream file(LOCKSTEP_SOURCE_DIR "/src/base/codes.h");
  std::map<std::string, uint16_t> found;
  std::string line;
  const std::regex entry(R"(^\s*([a-z0-9_]+)\s*=\s*([0-9]+),.*)");
  std::smatch match;
  while (std::getline(file, line)) {
    if (std::regex_match(line, match, entry)) {
      found[match[1]] = static_cast<uint16_t>(std::stoul(match[2]));
    }
  }
  return found;
}

TEST(Exit, OfEveryCode) {
  const auto all = codes();
  ASSERT_GE(all.size(), 60U);
  size_t seen = 0;
  for (const auto& [name, number] : all) {
    const Error error = refuse(static_cast<Code>(number), "x");
    const auto found = special().find(name);
    seen += found == special().end() ? 0U : 1U;
    const int wanted = found != special().end()     ? found->second
                       : number >= first_fault_code ? 1
                                                    : 2;
    EXPECT_EQ(static_cast<int>(exit_of(error)), wanted) << name;
  }
  EXPECT_EQ(seen, special().size());
}

TEST(Exit, OfANumberThatNobodyKnows) {
  EXPECT_EQ(exit_of(refuse(static_cast<Code>(899), "x")), Exit::invalid_input);
  EXPECT_EQ(exit_of(refuse(static_cast<Code>(9999), "x")), Exit::failed);
}

struct Mistake {
  Error error;
  Code code;
  const char* message;
};

std::vector<Mistake> mistakes() {
  const env::Address home{"127.0.0.1", 4100};
  return {
      {no_network_yet("/d"),
       Code::no_network,
       "/d: no network was started here yet. start one first: lockstep up [E807]"},
      {wrong_path("examples/jbo.yaml", {"job.yaml", "model.onnx"}),
       Code::file_not_found,
       "examples/jbo.yaml: there is no such file. did you mean \"job.yaml\"? [E500]"},
      {wrong_path("treasure", {"job.yaml"}),
       Code::file_not_found,
       "treasure: there is no such file. check the path [E500]"},
      {port_in_use(home),
       Code::in_use,
       "127.0.0.1:4100: another program listens there. see which: ss -ltnp 'sport = :4100'; stop "
       "it or choose another port [E806]"},
      {nobody_there({"::1", 1}),
       Code::unreachable,
       "[::1]:1: nobody answers at this address. check host and port, that `lockstep up` runs "
       "there, and firewalls between [E801]"},
      {somebody_else_there(home),
       Code::not_trusted,
       "127.0.0.1:4100: whoever answers there has another key than the one that was named. check "
       "the key behind # with whoever gave you the address; nothing was sent [E802]"},
      {other_format("/d", 2, 1),
       Code::bad_folder,
       "/d: a newer version of lockstep wrote this folder: format 2, and this program writes 1. "
       "update lockstep, or start with a new folder: lockstep up --network-dir NEW_FOLDER "
       "[E808]"},
      {other_format("/d", 1, 2),
       Code::bad_folder,
       "/d: an older version of lockstep wrote this folder: format 1, and this program writes 2. "
       "finish its jobs with the old version, or start with a new folder: lockstep up "
       "--network-dir NEW_FOLDER [E808]"},
      {no_space("/d", 3 << 20),
       Code::disk_full,
       "/d: the disk is full: 3 MiB are left. make room (see: df -h), then start again: nothing "
       "that was acknowledged is lost [E9002]"},
      {clock_is_off(86'400'000),
       Code::out_of_range,
       "this machine's clock is 1 day ahead of the network's. set it: sudo timedatectl set-ntp "
       "true; then start again [E404]"},
      {clock_is_off(-7'200'000),
       Code::out_of_range,
       "this machine's clock is 2 hours behind the network's. set it: sudo timedatectl set-ntp "
       "true; then start again [E404]"},
      {already_up("/d", 42),
       Code::in_use,
       "/d: `lockstep up` runs here already, as process 42. use it as it is, or end it first: "
       "lockstep down [E806]"},
      {interrupted_at_once(),
       Code::cancelled,
       "interrupted before anything was started. nothing was changed: give the command again when "
       "you like [E810]"},
      {interrupted_while_following("7f3a"),
       Code::cancelled,
       "7f3a: you no longer follow the job, which goes on. follow it again: lockstep run --attach "
       "7f3a; "
       "end it: lockstep cancel 7f3a [E810]"},
      {unknown_command("runn", {"up", "run", "verify"}),
       Code::bad_option,
       "runn: there is no such command. did you mean \"run\"? [E760]"},
  };
}

TEST(Hints, SayWhatWhyAndNext) {
  for (const Mistake& mistake : mistakes()) {
    EXPECT_EQ(mistake.error.code, mistake.code) << mistake.message;
    EXPECT_EQ(mistake.error.message(), mistake.message);
    EXPECT_FALSE(mistake.error.next.empty());
  }
}

TEST(Hints, EveryClockErrorIsFinite) {
  for (const int64_t ahead : {std::numeric_limits<int64_t>::min(),
                              int64_t{-1},
                              int64_t{0},
                              int64_t{60'000},
                              std::numeric_limits<int64_t>::max()}) {
    EXPECT_FALSE(clock_is_off(ahead).what.empty());
  }
}

TEST(Hints, EveryCodeOfTheRealWorldHasAUsualStep) {
  for (const auto& [name, number] : codes()) {
    const Error bare = with_hint(refuse(static_cast<Code>(number), "x"));
    if ((number >= 800 && number < 900) || number >= first_fault_code) {
      EXPECT_FALSE(bare.next.empty()) << name;
    }
    const Error told = with_hint(refuse(static_cast<Code>(number), "x", "do this"));
    EXPECT_EQ(told.next, "do this") << name;
  }
}

}  // namespace
}  // namespace lockstep::apps

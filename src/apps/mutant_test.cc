// Faults planted in our own code, each found by a check and not by its own crash: run with a
// scenario that gives it a chance, seed after seed. docs/mutants.md lists them.
#include "base/mutant.h"

#include <gtest/gtest.h>

#ifdef LOCKSTEP_MUTANTS

#include "apps/scenario_run.h"
#include "base/limits.h"
#include "platform/files.h"
#include "spec/scenario_file.h"

namespace lockstep::apps {
namespace {

constexpr uint64_t seeds_max = 200;

struct Planted {
  Mutant mutant;
  const char* name;
  const char* scenario;
  const char* found_by;  // the check's words
  uint64_t seed = 1;     // the first that shows it
  uint64_t span_s = 0;   // of the job's finality; 0: the scenario's
};

constexpr Planted planted[] = {
    {Mutant::refund_twice, "refund_twice", "honest", "the total changed"},
    {Mutant::accept_without_claim,
     "accept_without_claim",
     "delivers-never-claims",
     "work was accepted and used, and never claimed"},
    {Mutant::missing_sync,
     "missing_sync",
     "random-faults",
     "a block does not follow on the one before",
     9},
    {Mutant::draw_off_by_one,
     "draw_off_by_one",
     "skip-spot",
     "other tasks were drawn than the seed draws"},
    {Mutant::opening_not_checked, "opening_not_checked", "false-opening", "was slashed", 2},
    {Mutant::burned_half_forgotten, "burned_half_forgotten", "skip", "the total changed"},
    {Mutant::preimage_reused,
     "preimage_reused",
     "honest",
     "a preimage is not the next of its chain"},
    {Mutant::receipt_not_bound,
     "receipt_not_bound",
     "receipt-swap",
     "a receipt is not its assignment's"},
    {Mutant::deadline_off_by_one,
     "deadline_off_by_one",
     "sleeping-auditor",
     "an audit's deadline passed and nothing happened",
     2},
    {Mutant::stale_root_accepted, "stale_root_accepted", "stale-state", "was slashed", 2},
    {Mutant::void_not_spread,
     "void_not_spread",
     "late-conviction",
     "work is to be paid that read from what is void"},
    {Mutant::seed_without_requester,
     "seed_without_requester",
     "honest",
     "a draw's seed is not that of its preimages"},
    {Mutant::quarter_burned,
     "quarter_burned",
     "skip",
     "what was burned is not half of what was slashed"},
    {Mutant::bond_kept, "bond_kept", "skip", "a lock is nobody's"},
    {Mutant::signature_ignored, "signature_ignored", "replayer", "a transaction is not signed"},
    {Mutant::salts_not_compared,
     "salts_not_compared",
     "random-root",
     "provider-2 was not convicted"},
    {Mutant::unread_paid,
     "unread_paid",
     "greedy-requester-unverified",
     "a task was paid that nobody has read"},
    {Mutant::final_under_audit,
     "final_under_audit",
     "sleeping-auditor",
     "a claim became final under an open audit or dispute",
     1,
     1},
    {Mutant::salt_reused, "salt_reused", "honest", "an honest claimant used a salt twice"},
    {Mutant::blob_not_checked, "blob_not_checked", "random-faults", "lost stake", 79},
};

/// The mutant is gone with its scope.
class Mutated {
 public:
  explicit Mutated(Mutant mutant) { set_mutant(mutant); }
  ~Mutated() { set_mutant(Mutant::none); }
  Mutated(const Mutated&) = delete;
  Mutated& operator=(const Mutated&) = delete;
};

model::Scenario scenario_of(const Planted& one) {
  const std::string path =
      std::string(LOCKSTEP_SOURCE_DIR) + "/tests/scenarios/" + one.scenario + ".yaml";
  const auto bytes = platform::Files().read(path, limits::job_file_bytes_max);
  EXPECT_TRUE(bytes.ok()) << path;
  const auto scenario =
      spec::parse_scenario({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, path);
  EXPECT_TRUE(scenario.ok()) << scenario.error().message();
  model::Scenario made = *scenario;
  if (one.span_s > 0) {
    made.finality = {model::FinalityKind::span, one.span_s};
  }
  return made;
}

std::string text_of(const std::vector<std::string>& failures) {
  std::string text;
  for (const std::string& failure : failures) {
    text += failure + "\n";
  }
  return text;
}

/// In words; none: the checks found nothing.
std::string failures_of(ScenarioRunner& runner, uint64_t seed, Mutant mutant) {
  const Mutated mutated(mutant);
  const auto outcome = runner.run(seed);
  EXPECT_TRUE(outcome.ok()) << outcome.error().message();
  return outcome.ok() ? text_of(outcome->failures) : std::string();
}

class Mutants : public testing::TestWithParam<Planted> {};

TEST_P(Mutants, IsFoundByACheck) {
  const Planted& one = GetParam();
  const model::Scenario scenario = scenario_of(one);
  const auto runner = ScenarioRunner::create(scenario);
  ASSERT_TRUE(runner.ok()) << runner.error().message();
  (*runner)->stop_at_first_breach();
  uint64_t seed = one.seed;
  std::string found = failures_of(**runner, seed, one.mutant);
  for (uint64_t other = 1; found.empty() && other <= seeds_max; ++other) {
    seed = other;
    found = failures_of(**runner, seed, one.mutant);
  }
  EXPECT_NE(found.find(one.found_by), std::string::npos) << "seed " << seed << ": " << found;
  EXPECT_EQ(failures_of(**runner, seed, Mutant::none), "") << "seed " << seed;
}

std::string name_of(const testing::TestParamInfo<Planted>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, Mutants, testing::ValuesIn(planted), name_of);

TEST(MutantList, HasEveryMutantOnce) {
  std::set<Mutant> seen;
  for (const Planted& one : planted) {
    seen.insert(one.mutant);
  }
  EXPECT_EQ(seen.size(), std::size(planted));
  EXPECT_EQ(seen.size(), static_cast<size_t>(mutant_last));
}

}  // namespace
}  // namespace lockstep::apps

#else

namespace lockstep {
namespace {

/// What is shipped knows no mutants, whatever is asked for: all that they guard is dead code.
TEST(MutantList, IsEmptyInWhatIsShipped) {
  static_assert(!is_mutated(Mutant::refund_twice) && !is_mutated(mutant_last));
  EXPECT_TRUE(is_mutated(Mutant::none));
}

}  // namespace
}  // namespace lockstep

#endif

// Checks a receipt from nothing but itself: here what stands under a header, and what the job left.
// The market and the disputes are in receipt_market.cc and receipt_replay.cc. All is hostile.
#include <algorithm>
#include <set>

#include "base/limits.h"
#include "law/roots.h"
#include "node/receipt_evidence.h"

namespace lockstep::node {
namespace {

/// The ledger's own bound: sums of times and durations stay in 64 bits.
constexpr uint64_t time_max_ms = uint64_t{1} << 60;

Result<void> open_headers(const JobReceipt& receipt, Evidence& evidence) {
  if (receipt.headers.empty() || receipt.headers.size() > limits::preimages_max) {
    return bad_receipt("there is no header, or more than any chain has");
  }
  const model::Genesis& genesis = receipt.genesis;
  Hash previous;
  Hash preimage = genesis.preimages;
  uint64_t earliest_ms = 0;
  for (const model::Signed& paper : receipt.headers) {
    const std::string where = "header " + std::to_string(evidence.headers.size() + 1);
    const auto header = TRY(
        held(chain::header_of(paper, evidence.network, genesis.sequencer), "it is none", where));
    if (header.height != evidence.headers.size() + 1 || header.previous != previous) {
      return bad_receipt("it does not follow on the one before", where);
    }
    if (header.time_ms < earliest_ms || header.time_ms > time_max_ms) {
      return bad_receipt("it comes too soon after the one before, or is of no real time", where);
    }
    if (model::chain_link(header.preimage) != preimage) {
      return bad_receipt("its preimage is not the next of the sequencer's chain", where);
    }
    previous = model::signed_hash(paper);
    preimage = header.preimage;
    earliest_ms = header.time_ms + genesis.block_ms;
    evidence.headers.push_back(header);
  }
  return {};
}

Result<void> open_transactions(const JobReceipt& receipt, Evidence& evidence) {
  std::pair<uint64_t, uint64_t> next{1, 0};  // the earliest place that may come
  for (size_t i = 0; i < receipt.transactions.size(); ++i) {
    const ReceiptTransaction& one = receipt.transactions[i];
    const std::string where = "transaction " + std::to_string(i);
    const std::pair place(one.height, one.inclusion.index);
    if (place < next || one.height > evidence.headers.size()) {
      return bad_receipt("it is out of order, or of a block without a header", where);
    }
    next = {one.height, one.inclusion.index + 1};
    const model::TransactionId id = model::transaction_id(one.transaction);
    if (!chain::is_included(evidence.headers[one.height - 1].transactions, id, one.inclusion)) {
      return bad_receipt("it is not where it says in its block", where);
    }
    auto body = TRY(held(model::open<model::Transaction>(
                             one.transaction, evidence.network, model::SignedKind::transaction),
                         "it is none",
                         where));
    evidence.spoken.push_back({one.height, one.transaction.signer, id, std::move(body)});
  }
  return {};
}

template <class T>
Result<void> put_entry(T& record, const ReceiptEntry& entry) {
  record = TRY(held(codec::decode<T>(entry.bytes), "the entry is not of its kind", entry.key));
  return {};
}

/// Takes an entry where it belongs by its key.
Result<void> open_entry(const ReceiptEntry& entry, Evidence& evidence) {
  const size_t slash = entry.key.find('/');
  const std::string kind = entry.key.substr(0, slash);
  if (entry.key == ledger::totals_key()) {
    return put_entry(evidence.totals, entry);
  }
  const auto bytes = from_hex(slash == std::string::npos ? "" : entry.key.substr(slash + 1));
  Hash id;
  if (!bytes.ok() || bytes->size() != id.bytes.size()) {
    return bad_receipt("this is no entry's key", entry.key);
  }
  std::copy(bytes->begin(), bytes->end(), id.bytes.begin());
  if (kind == "job" && id == evidence.job_id.hash) {
    return put_entry(evidence.job, entry);
  }
  if (kind == "lease") {
    return put_entry(evidence.leases[LeaseId{id}], entry);
  }
  if (kind == "claim") {
    return put_entry(evidence.claims[ClaimId{id}], entry);
  }
  if (kind == "account") {
    return put_entry(evidence.accounts[PublicKey{id.bytes}], entry);
  }
  return bad_receipt("no such entry belongs to this job", entry.key);
}

Result<void> open_entries(const JobReceipt& receipt, Evidence& evidence) {
  const Hash& root = evidence.headers.back().state;
  const ReceiptEntry* before = nullptr;
  std::set<std::string> keys;
  for (const ReceiptEntry& entry : receipt.entries) {
    if (!is_present(root, entry.key, entry.bytes, entry.presence)) {
      return bad_receipt("the ledger's last state does not hold this", entry.key);
    }
    // The ledger's entries stand in the order of their keys.
    if (before != nullptr &&
        (entry.key <= before->key || entry.presence.index <= before->presence.index ||
         entry.presence.entries != before->presence.entries)) {
      return bad_receipt("it is out of order", entry.key);
    }
    before = &entry;
    keys.insert(entry.key);
    TRY(open_entry(entry, evidence));
  }
  for (const std::string& key : {ledger::totals_key(), ledger::job_key(evidence.job_id)}) {
    if (!keys.contains(key)) {
      return bad_receipt("the entry is missing", key);
    }
  }
  const ledger::Totals& totals = evidence.totals;
  const model::Header& last = evidence.headers.back();
  if (totals.height != last.height || totals.time_ms != last.time_ms ||
      totals.preimage != last.preimage) {
    return bad_receipt("the totals are not of the last block", ledger::totals_key());
  }
  return {};
}

/// Whether a settled task's output stands, paid or not: it was neither refuted nor rests on what
/// was.
bool stands(const ledger::Task& task) {
  return task.status == ledger::TaskStatus::final || task.status == ledger::TaskStatus::unpaid ||
         task.status == ledger::TaskStatus::unavailable;
}

std::optional<uint32_t> leaf_named(const law::Program& program, const std::string& name) {
  const auto found = std::lower_bound(
      program.leaves.begin(), program.leaves.end(), name, [](const auto& leaf, const auto& text) {
        return leaf.name < text;
      });
  const bool here = found != program.leaves.end() && found->name == name;
  return here ? std::optional(static_cast<uint32_t>(found - program.leaves.begin())) : std::nullopt;
}

/// What a job left, bound to its claimed tasks.
class Left {
 public:
  Left(const JobReceipt& receipt, const Evidence& evidence)
      : receipt_(receipt), evidence_(evidence) {}

  Result<void> check(JobFacts& facts) const {
    if (!receipt_.model) {
      const bool nothing = !receipt_.evaluation && receipt_.parameters.empty();
      return nothing ? no_evaluation() : bad_receipt("there are parts of a model but no model");
    }
    facts.model_root = TRY(model_root());
    if (!receipt_.evaluation) {
      return no_evaluation();
    }
    facts.correct = TRY(correct());
    facts.test_images = receipt_.test_images;
    return {};
  }

 private:
  [[nodiscard]] Result<void> no_evaluation() const {
    if (!receipt_.correct.empty() || receipt_.test_images != 0) {
      return bad_receipt("there are parts of an evaluation but no evaluation");
    }
    return {};
  }
  [[nodiscard]] const law::Program& program_of(const Evidence::Claimed& claimed) const {
    return evidence_.programs.find(claimed.task->program)->program;
  }
  [[nodiscard]] Result<const Evidence::Claimed*> standing_task(const TaskId& id,
                                                               model::TaskKind kind) const {
    const auto found = evidence_.tasks.find(id);
    const bool good = found != evidence_.tasks.end() && found->second.assignment.kind == kind &&
                      stands(*found->second.task);
    if (!good) {
      return bad_receipt("no task of its kind that stands left it", place_name("task", id));
    }
    return &found->second;
  }
  /// The task that left exactly these leaves.
  [[nodiscard]] Result<const Evidence::Claimed*> producer(const ReceiptOutput& output,
                                                          model::TaskKind kind) const {
    const Evidence::Claimed* claimed = TRY(standing_task(output.task, kind));
    const law::Program& program = program_of(*claimed);
    if (output.leaves.size() != program.leaves.size() ||
        law::state_root(program, output.leaves) != claimed->task->output_root) {
      return bad_receipt("its leaves are not what was claimed", place_name("task", output.task));
    }
    return claimed;
  }

  [[nodiscard]] Result<Hash> model_root() const {
    const Evidence::Claimed* merge = TRY(producer(*receipt_.model, model::TaskKind::merge));
    for (const auto& [id, other] : evidence_.tasks) {
      if (other.assignment.kind == model::TaskKind::merge && stands(*other.task) &&
          other.assignment.round > merge->assignment.round) {
        return bad_receipt("the model is not that of the last merge", place_name("task", id));
      }
    }
    std::vector<std::pair<std::string, Hash>> roots;
    std::set<std::string> seen;
    for (const std::string& name : receipt_.parameters) {
      const auto leaf = leaf_named(program_of(*merge), name);
      if (!leaf || !seen.insert(name).second) {
        return bad_receipt("it is no parameter of the model, or named twice", "a parameter");
      }
      roots.emplace_back(name, receipt_.model->leaves[*leaf]);
    }
    if (roots.empty()) {
      return bad_receipt("the model has no parameters");
    }
    return law::model_root(std::move(roots));
  }

  /// The images of one evaluation, which must be of this model.
  [[nodiscard]] Result<uint64_t> images_of(const TaskId& id) const {
    const Evidence::Claimed* claimed = TRY(standing_task(id, model::TaskKind::evaluate));
    const law::Program& program = program_of(*claimed);
    const std::string where = place_name("task", id);
    const model::Assignment& assignment = claimed->assignment;
    size_t reads = 0;
    for (const std::string& name : receipt_.parameters) {
      const auto leaf = leaf_named(program, name);
      const auto& source = leaf ? assignment.leaves[*leaf].source : std::nullopt;
      if (!source || source->task != receipt_.model->task ||
          source->leaf >= receipt_.model->leaves.size() ||
          receipt_.model->leaves[source->leaf] != assignment.leaves[*leaf].tensor.root) {
        return bad_receipt("it evaluates another model", where);
      }
    }
    for (const model::AssignedLeaf& leaf : assignment.leaves) {
      reads += leaf.source && leaf.source->task == receipt_.model->task ? 1 : 0;
    }
    if (reads != receipt_.parameters.size()) {
      return bad_receipt("the parameters are not all that it evaluates", where);
    }
    const auto images = leaf_named(program, "images");
    if (!images || program.leaves[*images].shape.dims.empty()) {
      return bad_receipt("it evaluates no images", where);
    }
    return static_cast<uint64_t>(program.leaves[*images].shape.dims[0]);
  }

  [[nodiscard]] Result<uint64_t> correct() const {
    const Evidence::Claimed* sum = TRY(producer(*receipt_.evaluation, model::TaskKind::sum));
    if (sum->task->reads.size() != sum->assignment.leaves.size()) {
      return bad_receipt("the sum does not add every evaluation once");
    }
    uint64_t images = 0;  // each below 2^40, and at most 65,536 leaves
    for (const TaskId& read : sum->task->reads) {
      images += TRY(images_of(read));
    }
    if (images != receipt_.test_images) {
      return bad_receipt("the evaluation is of another number of images");
    }
    const law::Program& program = program_of(*sum);
    const auto leaf = leaf_named(program, "correct");
    if (!leaf || program.leaves[*leaf].shape != law::Shape{law::DType::i64, {}} ||
        law::tensor_root(program.leaves[*leaf].shape, law::data_hash(receipt_.correct)) !=
            receipt_.evaluation->leaves[*leaf]) {
      return bad_receipt("the number of images found right is not what was claimed");
    }
    const auto count = TRY(held(codec::decode<uint64_t>(receipt_.correct), "no number"));
    if (count > images) {
      return bad_receipt("more images were found right than there are");
    }
    return count;
  }

  const JobReceipt& receipt_;
  const Evidence& evidence_;
};

void tell_leases(const Evidence& evidence, JobFacts& facts) {
  for (const auto& [id, lease] : evidence.leases) {
    facts.leases.push_back({id,
                            lease.node,
                            lease.owner,
                            evidence.names.at(id),
                            lease.final_operations,
                            lease.paid,
                            lease.paid_void,
                            lease.status});
  }
}

void tell_claims(const Evidence& evidence, JobFacts& facts) {
  for (const auto& [id, claim] : evidence.claims) {
    for (const ledger::Task& task : claim.tasks) {
      ++facts.claimed_tasks;
      facts.final_tasks += task.status == ledger::TaskStatus::final ? 1 : 0;
      facts.void_tasks += task.status == ledger::TaskStatus::paid_void ? 1 : 0;
    }
    const ledger::Audit& audit = claim.audit;
    if (!audit.tasks.empty()) {
      facts.draws.push_back(
          {id, audit.block, audit.seed, audit.requester_preimage, audit.tasks, audit.phase});
    }
  }
  std::stable_sort(facts.draws.begin(), facts.draws.end(), [](const auto& a, const auto& b) {
    return a.block < b.block;
  });
}

Result<JobFacts> facts_of(const Evidence& evidence) {
  const ledger::Job& job = evidence.job;
  JobFacts facts;
  facts.name = job.terms.name;
  facts.operations = job.terms.operations;
  facts.tasks = job.terms.tasks;
  facts.price_per_unit = job.terms.price_per_unit;
  facts.work_price = job.work_price;
  facts.audit_budget = TRY(held(
      model::audit_budget(job.work_price, job.terms.share_millionths, job.terms.tasks), "job"));
  facts.paid = job.paid;
  facts.status = job.status;
  tell_leases(evidence, facts);
  tell_claims(evidence, facts);
  facts.headers = evidence.headers.size();
  facts.transactions = evidence.spoken.size();
  return facts;
}

}  // namespace

Result<JobFacts> check_receipt(const JobReceipt& receipt, env::Clock* clock) {
  // The ledger's own check of what a network may start from.
  (void)TRY(held(ledger::Ledger::create(receipt.genesis), "the genesis makes no sense"));
  Evidence evidence;
  evidence.genesis = receipt.genesis;
  evidence.network = model::network_id(receipt.genesis);
  evidence.job_id = receipt.job;
  TRY(open_headers(receipt, evidence));
  TRY(open_transactions(receipt, evidence));
  TRY(open_entries(receipt, evidence));
  TRY(check_market(evidence));
  std::vector<VerdictFact> verdicts = TRY(replay(evidence, clock));
  JobFacts facts = TRY(facts_of(evidence));
  facts.verdicts = std::move(verdicts);
  TRY(Left(receipt, evidence).check(facts));
  return facts;
}

}  // namespace lockstep::node

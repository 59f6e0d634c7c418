// Everything the desk does follows from the ledger's state: news and ticks only say where to look.
// So a lost transaction, a restart or several blocks at once need no care of their own.
#include "node/audit_desk.h"

#include <type_traits>

#include "attest/witness.h"
#include "node/tasks.h"

namespace lockstep::node {
namespace {

using ledger::AuditPhase;
using model::ClaimId;

/// After a fetch or a run that failed.
constexpr uint64_t retry_ms = 1000;
/// How long the ledger is given to take what it was sent before it is sent anew. LedgerClient sees
/// a transaction through; this is for one that stood in a block and had no effect.
constexpr uint64_t repeat_ms = 2000;

/// What was last submitted, and to which question: the same is not said twice in repeat_ms.
struct Said {
  uint64_t question = 0;
  uint64_t at_ms = 0;
};
constexpr uint64_t question_challenge = 0;
constexpr uint64_t question_move = 1;  // plus the number of answers so far

bool is_due(const std::optional<Said>& said, uint64_t question, uint64_t now_ms) {
  return !said || said->question != question || now_ms >= said->at_ms + repeat_ms;
}

/// One drawn task.
struct Item {
  model::Task task;
  std::vector<Hash> blobs;
  std::optional<uint64_t> group, work;  // under way
  WorkKind kind = WorkKind::execute;    // what the group is fetched for
  uint32_t step = 0;
  uint64_t not_before_ms = 0;
  std::vector<Hash> roots;  // of its list; empty until it is computed
  Hash output_root;
  std::optional<attest::Witness> witness;  // while this node's challenge is open
  std::optional<Said> said;
  [[nodiscard]] bool computed() const { return !roots.empty(); }
};
/// One claim that this node audits.
struct Case {
  PublicKey requester;
  std::map<uint32_t, Item> items;  // by place in the claim
  std::optional<Said> said;
  [[nodiscard]] bool computed() const {
    for (const auto& [place, item] : items) {
      if (!item.computed()) {
        return false;
      }
    }
    return true;
  }
};
/// Of what an open audit reads; and the claim's id in hex.
const std::string claim_pins = "audit-";
std::string pin_name(const ClaimId& id) {
  return claim_pins + to_hex(id.hash.view());
}

struct Where {
  ClaimId claim;
  uint32_t place = 0;
};

bool is_open(AuditPhase phase) {
  return phase == AuditPhase::drawn || phase == AuditPhase::committed ||
         phase == AuditPhase::opened || phase == AuditPhase::unopened ||
         phase == AuditPhase::must_challenge;
}

}  // namespace

struct AuditDesk::Impl {
  LedgerClient* ledger;
  BlobClient* blobs;
  Effects* effects;
  Hash secret;
  uint64_t last_id = 0;
  uint64_t scanned_height = 0;
  std::map<ClaimId, Case> cases;
  std::map<uint64_t, Where> groups, works;     // what is under way and still wanted
  std::map<Hash, model::ProgramRef> programs;  // tasks borrow these

  [[nodiscard]] uint64_t new_id() { return id_bit | ++last_id; }
  [[nodiscard]] const ledger::State& state() const { return ledger->state(); }
  [[nodiscard]] const ledger::Dispute* own_dispute(const ClaimId& id, uint32_t place) const;
  [[nodiscard]] bool is_asked(const ClaimId& id, const ledger::Claim& claim) const;
  [[nodiscard]] Hash salt_of(const ClaimId& id, uint32_t place) const;
  Item* take(std::map<uint64_t, Where>& from, uint64_t id, Where& where);

  std::optional<Case> make_case(const ClaimId& id, const ledger::Claim& claim);
  std::optional<Item> make_item(const model::ClaimEntry& entry);
  [[nodiscard]] Result<void> pin(const ClaimId& id, const Case& made);
  void forget_dispute(Item& item);
  void forget(const ClaimId& id);
  void look(uint64_t now_ms, const ClaimId& id);
  void look_at_all(uint64_t now_ms);

  void compute(uint64_t now_ms, const Where& where, WorkKind kind, uint32_t step);
  void run(const Where& where);
  void say(uint64_t now_ms, const ClaimId& id, const ledger::Audit& audit);
  void commit(uint64_t now_ms, const ClaimId& id);
  void reveal(uint64_t now_ms, const ClaimId& id);
  void challenge(uint64_t now_ms, const Where& where);
  void move(uint64_t now_ms, const Where& where, const ledger::Dispute& dispute);
  void receive(Item& item, WorkDone done);
};

const ledger::Dispute* AuditDesk::Impl::own_dispute(const ClaimId& id, uint32_t place) const {
  const auto found = state().disputes.find({id, place});
  const bool own = found != state().disputes.end() && found->second.challenger == ledger->self();
  return own ? &found->second : nullptr;
}

/// Whether the ledger waits, or will wait, for this node's word on a claim.
bool AuditDesk::Impl::is_asked(const ClaimId& id, const ledger::Claim& claim) const {
  if (claim.audit.auditor != ledger->self()) {
    return false;
  }
  if (is_open(claim.audit.phase)) {
    return true;
  }
  for (const uint32_t place : claim.audit.tasks) {
    if (own_dispute(id, place) != nullptr) {
      return true;
    }
  }
  return false;
}

/// The same after a restart, so that a commitment can always be revealed.
Hash AuditDesk::Impl::salt_of(const ClaimId& id, uint32_t place) const {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 audit salt");
  codec::Writer writer;
  writer.hash(secret);
  writer.hash(id.hash);
  writer.number(place);
  return crypto::hash(mode, writer.bytes());
}

/// The item that waits for a group or a work, which is then no longer under way; null for one that
/// nobody waits for.
Item* AuditDesk::Impl::take(std::map<uint64_t, Where>& from, uint64_t id, Where& where) {
  const auto found = from.find(id);
  if (found == from.end()) {
    return nullptr;
  }
  where = found->second;
  from.erase(found);
  return &cases.at(where.claim).items.at(where.place);
}

std::optional<Item> AuditDesk::Impl::make_item(const model::ClaimEntry& entry) {
  const auto assignment = codec::decode<model::Assignment>(entry.assignment.body);
  if (!assignment.ok()) {
    return std::nullopt;
  }
  const judge::Registered* registered = state().programs.find(assignment->program);
  if (registered == nullptr) {
    return std::nullopt;
  }
  const auto ref = programs.try_emplace(registered->root, program_ref(*registered)).first;
  auto task = task_of(*assignment, *registered, ref->second);
  if (!task.ok()) {
    return std::nullopt;
  }
  Item item;
  item.task = std::move(task).value();
  item.blobs = blobs_of(*assignment, *registered);
  return item;
}

std::optional<Case> AuditDesk::Impl::make_case(const ClaimId& id, const ledger::Claim& claim) {
  const model::PostClaim* posted = ledger->claim(id);
  const auto job = state().jobs.find(claim.job);
  if (posted == nullptr || job == state().jobs.end()) {
    return std::nullopt;
  }
  Case made;
  made.requester = job->second.terms.requester;
  for (const uint32_t place : claim.audit.tasks) {
    if (place >= posted->entries.size()) {
      return std::nullopt;
    }
    auto item = make_item(posted->entries[place]);
    if (!item) {
      return std::nullopt;
    }
    made.items.emplace(place, std::move(*item));
  }
  return made;
}

Result<void> AuditDesk::Impl::pin(const ClaimId& id, const Case& made) {
  std::set<Hash> addresses;
  for (const auto& [place, item] : made.items) {
    addresses.insert(item.blobs.begin(), item.blobs.end());
  }
  return blobs->store().pin(pin_name(id), {addresses.begin(), addresses.end()});
}

/// What is still being computed for a dispute has no use once it is over.
void AuditDesk::Impl::forget_dispute(Item& item) {
  item.witness.reset();
  item.said.reset();
  if (item.work) {
    works.erase(*item.work);
    item.work.reset();
  }
  if (item.group) {
    blobs->forget(*item.group);
    groups.erase(*item.group);
    item.group.reset();
  }
}

void AuditDesk::Impl::forget(const ClaimId& id) {
  const auto found = cases.find(id);
  if (found == cases.end()) {
    return;
  }
  for (auto& [place, item] : found->second.items) {
    forget_dispute(item);
  }
  cases.erase(found);
  (void)blobs->store().unpin(pin_name(id));  // where that fails, the next start does it
}

/// Does whatever the ledger asks about one claim and has not been done.
void AuditDesk::Impl::look(uint64_t now_ms, const ClaimId& id) {
  const auto claim = state().claims.find(id);
  if (claim == state().claims.end() || !is_asked(id, claim->second)) {
    forget(id);
    return;
  }
  if (!cases.contains(id)) {
    auto made = make_case(id, claim->second);
    if (!made || !pin(id, *made).ok()) {
      return;
    }
    cases.emplace(id, std::move(*made));
  }
  for (auto& [place, item] : cases.at(id).items) {
    const ledger::Dispute* dispute = own_dispute(id, place);
    if (!item.computed()) {
      compute(now_ms, {id, place}, WorkKind::execute, 0);
    } else if (dispute != nullptr) {
      move(now_ms, {id, place}, *dispute);
    } else if (item.witness) {
      forget_dispute(item);
    }
  }
  say(now_ms, id, claim->second.audit);
}

void AuditDesk::Impl::look_at_all(uint64_t now_ms) {
  std::vector<ClaimId> known;
  known.reserve(cases.size());
  for (const auto& [id, each] : cases) {
    known.push_back(id);
  }
  for (const ClaimId& id : known) {
    look(now_ms, id);
  }
}

/// Fetches; on_ready() runs. For a dispute too: what was here for the audit may have rotted since.
void AuditDesk::Impl::compute(uint64_t now_ms, const Where& where, WorkKind kind, uint32_t step) {
  const Case& its = cases.at(where.claim);
  Item& item = cases.at(where.claim).items.at(where.place);
  if (item.group || item.work || now_ms < item.not_before_ms) {
    return;
  }
  item.kind = kind;
  item.step = step;
  item.group = new_id();
  groups.emplace(*item.group, where);
  blobs->fetch(now_ms, *item.group, item.blobs, its.requester);
}

void AuditDesk::Impl::run(const Where& where) {
  Item& item = cases.at(where.claim).items.at(where.place);
  item.work = new_id();
  works.emplace(*item.work, where);
  effects->push_back(RunTask{*item.work, item.kind, item.task, item.step});
}

/// The audit's next transaction, where it is this node's turn.
void AuditDesk::Impl::say(uint64_t now_ms, const ClaimId& id, const ledger::Audit& audit) {
  Case& its = cases.at(id);
  if (audit.phase == AuditPhase::must_challenge) {
    for (const uint32_t place : audit.disagreed) {
      challenge(now_ms, {id, place});
    }
    return;
  }
  const bool asked = audit.phase == AuditPhase::drawn || audit.phase == AuditPhase::opened ||
                     audit.phase == AuditPhase::unopened;
  const bool revealing = audit.phase != AuditPhase::drawn;
  if (!asked || !its.computed() || !is_due(its.said, revealing ? 1 : 0, now_ms)) {
    return;
  }
  its.said = Said{revealing ? 1U : 0U, now_ms};
  if (revealing) {
    reveal(now_ms, id);
  } else {
    commit(now_ms, id);
  }
}

void AuditDesk::Impl::commit(uint64_t now_ms, const ClaimId& id) {
  model::CommitAudit body{id, {}};
  for (const auto& [place, item] : cases.at(id).items) {
    body.commitments.push_back(
        model::audit_commitment(item.roots, ledger->self(), salt_of(id, place)));
  }
  ledger->submit(now_ms, body);
}

void AuditDesk::Impl::reveal(uint64_t now_ms, const ClaimId& id) {
  model::RevealAudit body{id, {}};
  for (const auto& [place, item] : cases.at(id).items) {
    body.tasks.push_back({item.roots, salt_of(id, place)});
  }
  ledger->submit(now_ms, body);
}

/// The audit's commitment is the challenge's too: no turn has to be taken first.
void AuditDesk::Impl::challenge(uint64_t now_ms, const Where& where) {
  auto& items = cases.at(where.claim).items;
  const auto found = items.find(where.place);
  if (found == items.end() || !found->second.computed() ||
      state().disputes.contains({where.claim, where.place}) ||
      !is_due(found->second.said, question_challenge, now_ms)) {
    return;
  }
  Item& item = found->second;
  item.said = Said{question_challenge, now_ms};
  ledger->submit(now_ms, model::Challenge{where.claim, where.place, item.output_root, Hash()});
}

/// The next move of a dispute, where it is the challenger's turn.
void AuditDesk::Impl::move(uint64_t now_ms, const Where& where, const ledger::Dispute& dispute) {
  Item& item = cases.at(where.claim).items.at(where.place);
  const uint64_t question = question_move + dispute.answers;
  if (dispute.asked || item.group || item.work || now_ms < item.not_before_ms ||
      !is_due(item.said, question, now_ms)) {
    return;
  }
  if (!item.witness) {
    const judge::Registered* registered = state().programs.find(item.task.program->root);
    if (registered == nullptr) {
      return;
    }
    item.witness.emplace(registered->program, item.task.steps, item.task.claim_every, item.roots);
  }
  const attest::Witness::Move next = item.witness->next(dispute.kept);
  if (std::holds_alternative<attest::NeedSteps>(next)) {
    compute(now_ms, where, WorkKind::steps, 0);
    return;
  }
  if (const auto* trace = std::get_if<attest::NeedTrace>(&next)) {
    compute(now_ms, where, WorkKind::trace, trace->step);
    return;
  }
  item.said = Said{question, now_ms};
  if (const auto* ask = std::get_if<attest::Witness::Ask>(&next)) {
    ledger->submit(now_ms, model::AskOpen{where.claim, where.place, ask->place});
  } else if (const auto* prove = std::get_if<attest::Witness::Prove>(&next)) {
    ledger->submit(now_ms, model::PostProof{where.claim, where.place, prove->proof});
  }
}

void AuditDesk::Impl::receive(Item& item, WorkDone done) {
  auto& result = done.result.value();
  if (const auto* execution = std::get_if<model::Execution>(&result)) {
    item.roots = attest::list_roots(*execution, item.task.steps);
    item.output_root = execution->output_root;
    // The machine has put its outputs; nobody needs them.
    std::vector<Hash> outputs;
    outputs.reserve(execution->leaves.size());
    for (const model::TensorRef& leaf : execution->leaves) {
      outputs.push_back(leaf.data);
    }
    (void)blobs->store().learn(outputs);
  } else if (auto* roots = std::get_if<std::vector<Hash>>(&result); roots && item.witness) {
    item.witness->set_steps(std::move(*roots));
  } else if (auto* trace = std::get_if<model::StepTrace>(&result); trace && item.witness) {
    item.witness->set_trace(std::move(*trace));
  }
}

AuditDesk::AuditDesk(LedgerClient& ledger, BlobClient& blobs, Effects& effects, const Hash& secret)
    : impl_(std::make_unique<Impl>()) {
  impl_->ledger = &ledger;
  impl_->blobs = &blobs;
  impl_->effects = &effects;
  impl_->secret = secret;
  // Of an earlier life: an audit that goes on pins again.
  const auto pinned = blobs.store().pins(claim_pins);
  for (const std::string& name : pinned.ok() ? *pinned : std::vector<std::string>()) {
    (void)blobs.store().unpin(name);
  }
}

AuditDesk::~AuditDesk() = default;

void AuditDesk::on_news(uint64_t now_ms, const LedgerNews& news) {
  std::visit(
      [&](const auto& event) {
        using E = std::decay_t<decltype(event)>;
        if constexpr (requires { event.claim; }) {
          impl_->look(now_ms, event.claim);
        } else if constexpr (std::is_same_v<E, ledger::TasksVoided> ||
                             std::is_same_v<E, ledger::JobSettled>) {
          impl_->look_at_all(now_ms);
        }
      },
      news.event);
}

void AuditDesk::on_ready(uint64_t /*now_ms*/, uint64_t group) {
  Where where;
  if (Item* item = impl_->take(impl_->groups, group, where)) {
    item->group.reset();
    impl_->run(where);
  }
}

void AuditDesk::on_failed(uint64_t now_ms, uint64_t group) {
  Where where;
  if (Item* item = impl_->take(impl_->groups, group, where)) {
    impl_->blobs->forget(group);
    item->group.reset();
    item->not_before_ms = now_ms + retry_ms;
  }
}

void AuditDesk::on_work(uint64_t now_ms, WorkDone done) {
  Where where;
  Item* item = impl_->take(impl_->works, done.id, where);
  if (item == nullptr) {
    return;
  }
  item->work.reset();
  if (!done.result.ok()) {
    item->not_before_ms = now_ms + retry_ms;
    return;
  }
  impl_->receive(*item, std::move(done));
  impl_->look(now_ms, where.claim);
}

void AuditDesk::tick(uint64_t now_ms) {
  impl_->look_at_all(now_ms);
  // Claims whose news this desk did not see.
  if (impl_->ledger->height() == impl_->scanned_height) {
    return;
  }
  impl_->scanned_height = impl_->ledger->height();
  for (const auto& [id, claim] : impl_->state().claims) {
    if (!impl_->cases.contains(id) && impl_->is_asked(id, claim)) {
      impl_->look(now_ms, id);
    }
  }
}

}  // namespace lockstep::node

// Hard constraints, the ranking, and the price of a job.
#include "place/place.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace lockstep::place {
namespace {

constexpr size_t constraints = 7;

/// What each constraint asks the requester to relax.
const char* relaxation(Constraint constraint) {
  switch (constraint) {
    case Constraint::expired:
      return "ask for quotes again";
    case Constraint::own_machine:
      return "find providers of other owners";
    case Constraint::cpus:
      return "lower resources.cpus";
    case Constraint::memory:
      return "lower resources.memory or make the batch smaller";
    case Constraint::gpu:
      return "set resources.gpu to none or to any";
    case Constraint::stake:
      return "wait for providers with more stake, or split the job";
    case Constraint::budget:
      return "raise budget";
  }
  return "";
}

bool offers_gpu(const model::Quote& quote, const model::GpuSpec& gpu) {
  const bool is_gpu = !quote.device_class.starts_with("cpu");
  return is_gpu && (gpu.name == "any" || quote.device_class == gpu.name);
}

/// What a job costs at this price a unit.
struct Cost {
  Amount work, audit, total;
};
Result<Cost> cost_at(const Needs& needs, Amount price_per_unit) {
  const Amount work = TRY(model::price_of(needs.operations, price_per_unit));
  const Amount audit = TRY(model::audit_budget(work, needs.share_millionths, needs.tasks));
  return Cost{work, audit, TRY(work.add(audit))};
}

/// What a lease locks: twice the work price and one bond.
Result<Amount> lock_at(const Needs& needs, const Offer& offer) {
  const Amount work = TRY(model::price_of(needs.operations, offer.quote.price_per_unit));
  return TRY(work.add(offer.bond)).multiply(2);
}

void check_machine(const Needs& needs, const model::Quote& quote, std::vector<Failed>& failed) {
  const auto& wanted = needs.resources;
  const uint64_t memory = std::max(needs.memory_bytes, wanted.memory_bytes.value_or(0));
  if (quote.cpus < wanted.cpus.value_or(0)) {
    failed.push_back(
        {Constraint::cpus,
         "needs " + std::to_string(*wanted.cpus) + ", offers " + std::to_string(quote.cpus)});
  }
  if (quote.memory_bytes < memory) {
    failed.push_back(
        {Constraint::memory,
         "needs " + text_of_bytes(memory) + ", offers " + text_of_bytes(quote.memory_bytes)});
  }
  if (wanted.gpu.count > 0 && !offers_gpu(quote, wanted.gpu)) {
    failed.push_back({Constraint::gpu,
                      "needs " + std::to_string(wanted.gpu.count) + " x " + wanted.gpu.name +
                          ", offers " + quote.device_class});
  }
}

Result<std::vector<Failed>> check_offer(const Needs& needs, const Offer& offer) {
  std::vector<Failed> failed;
  const model::Quote& quote = offer.quote;
  if (quote.expires_ms < needs.now_ms) {
    failed.push_back({Constraint::expired, "the quote is no longer good"});
  }
  if (quote.owner == needs.requester_owner) {
    failed.push_back({Constraint::own_machine, "its owner is the requester"});
  }
  check_machine(needs, quote, failed);
  const Amount lock = TRY(lock_at(needs, offer));
  if (offer.unlocked_stake < lock) {
    failed.push_back(
        {Constraint::stake, "needs " + lock.print() + ", has " + offer.unlocked_stake.print()});
  }
  return failed;
}

bool is_better(const Offer& a, const Offer& b) {
  const auto key = [](const Offer& offer) {
    const model::Quote& quote = offer.quote;
    return std::tuple(quote.price_per_unit,
                      UINT64_MAX - quote.operations_per_second,
                      UINT64_MAX - quote.memory_bytes,
                      quote.name,
                      offer.signed_quote.signer);
  };
  return key(a) < key(b);
}

Error nothing_matches(std::span<const Judged> ranked) {
  std::array<size_t, constraints> removed{};
  for (const Judged& judged : ranked) {
    for (const Failed& failed : judged.failed) {
      removed.at(static_cast<size_t>(failed.constraint)) += 1;
    }
  }
  std::string what = "none of " + std::to_string(ranked.size()) + " offers matches";
  std::string next;
  for (size_t i = 0; i < removed.size(); ++i) {
    if (removed.at(i) > 0) {
      const auto constraint = static_cast<Constraint>(i);
      what += std::string(next.empty() ? ": " : ", ") + name_of(constraint) + " removed " +
              std::to_string(removed.at(i));
      next += std::string(next.empty() ? "" : "; ") + relaxation(constraint);
    }
  }
  if (ranked.empty()) {
    return refuse(Code::no_offer, "no provider has made an offer", "start a provider");
  }
  return refuse(Code::no_offer, std::move(what), std::move(next));
}

/// Takes matches in order while the dearest of them keeps the job within its budget.
Result<void> take_offers(const Needs& needs, std::span<const Offer> offers, Plan& plan) {
  uint32_t taken = 0;
  for (Judged& judged : plan.ranked) {
    if (!judged.failed.empty() || (needs.machines > 0 && taken == needs.machines)) {
      continue;
    }
    const Amount price = offers[judged.offer].quote.price_per_unit;
    const Cost cost = TRY(cost_at(needs, price));
    if (needs.budget && cost.total > *needs.budget) {
      judged.failed.push_back({Constraint::budget,
                               "the job would cost " + cost.total.print() + ", the budget is " +
                                   needs.budget->print()});
      if (taken == 0) {
        return refuse(Code::over_budget,
                      "the cheapest offer that matches makes the job cost " + cost.total.print() +
                          ", more than the budget of " + needs.budget->print(),
                      "raise budget, or train for fewer rounds",
                      "budget");
      }
      continue;
    }
    judged.taken = true;
    taken += 1;
    plan.price_per_unit = price;
    plan.work_price = cost.work;
    plan.audit_budget = cost.audit;
    plan.total = cost.total;
  }
  return {};
}

}  // namespace

const char* name_of(Constraint constraint) {
  switch (constraint) {
    case Constraint::expired:
      return "expired";
    case Constraint::own_machine:
      return "own machine";
    case Constraint::cpus:
      return "cpus";
    case Constraint::memory:
      return "memory";
    case Constraint::gpu:
      return "gpu";
    case Constraint::stake:
      return "stake";
    case Constraint::budget:
      return "budget";
  }
  return "unknown";
}

std::string text_of_bytes(uint64_t bytes) {
  constexpr uint64_t thousand = 1000;
  constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
  uint64_t scale = 1;
  size_t unit = 0;
  while (unit + 1 < units.size() && bytes / scale >= thousand) {
    scale *= thousand;
    unit += 1;
  }
  const uint64_t tenths = unit == 0 ? 0 : bytes / (scale / 10) % 10;
  std::string text = std::to_string(bytes / scale);
  if (tenths > 0) {
    text += "." + std::to_string(tenths);
  }
  return text + " " + units.at(unit);
}

Result<Plan> plan(const Needs& needs, std::span<const Offer> offers) {
  Plan plan;
  for (size_t i = 0; i < offers.size(); ++i) {
    plan.ranked.push_back({i, TRY(check_offer(needs, offers[i])), false});
  }
  std::sort(plan.ranked.begin(), plan.ranked.end(), [&](const Judged& a, const Judged& b) {
    return a.failed.empty() != b.failed.empty() ? a.failed.empty()
                                                : is_better(offers[a.offer], offers[b.offer]);
  });
  if (plan.ranked.empty() || !plan.ranked.front().failed.empty()) {
    return nothing_matches(plan.ranked);
  }
  TRY(take_offers(needs, offers, plan));
  std::stable_partition(
      plan.ranked.begin(), plan.ranked.end(), [](const Judged& judged) { return judged.taken; });
  return plan;
}

}  // namespace lockstep::place

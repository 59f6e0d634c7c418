// Work that a node asked for, done by whatever runs tensor tasks on its machine.
#pragma once

#include "node/node.h"

namespace lockstep::node {

/// `runner` has run(), step_roots() and trace() as exec::TensorRunner has them.
template <class Runner>
WorkDone do_work(Runner& runner, const RunTask& work) {
  const auto done = [&](auto result) {
    using Outcome = decltype(WorkDone::result);
    return result.ok() ? WorkDone{work.id, Outcome(std::move(result).value())}
                       : WorkDone{work.id, Outcome(result.error())};
  };
  switch (work.kind) {
    case WorkKind::execute:
      return done(runner.run(work.task));
    case WorkKind::steps:
      return done(runner.step_roots(work.task));
    case WorkKind::trace:
      return done(runner.trace(work.task, work.step));
  }
  return {work.id, refuse(Code::internal, "an unknown kind of work")};
}

}  // namespace lockstep::node

import type { Account } from './account.js'
import { failure, Refusal, usualMessage } from './answers.js'
import type { Route, SeenRequest } from './call.js'
import { creditRoutes } from './credits.js'
import { currentKeyRoutes } from './current-key.js'
import { guardrailRoutes } from './guardrails.js'
import { identify } from './identity.js'
import { keyRoutes } from './keys.js'
import { workspaceRoutes } from './workspaces.js'

/** Does what a request asks for, and gives the answer: also for what is refused, never by throwing. */
export type Router = (request: SeenRequest, authorization: string | null) => Response

/** Puts all endpoints of an account behind one function. */
export function createRouter(account: Account): Router {
  const routes = [keyRoutes, currentKeyRoutes, creditRoutes, guardrailRoutes, workspaceRoutes].flatMap((of) =>
    of(account),
  )
  return (request, authorization) => {
    try {
      const { route, params } = choose(routes, request)
      const caller = identify(authorization, account)
      if (caller !== null && !route.anyKey) throw new Refusal(403, usualMessage(403))
      return route.answer({ ...request, params, caller })
    } catch (error) {
      if (error instanceof Refusal) return failure(error.status, error.message, error.headers)
      return failure(500, `The sandbox itself has failed: ${error}`)
    }
  }
}

/** Finds the route for a request. */
function choose(routes: Route[], { method, path }: SeenRequest) {
  const there = routes.filter((route) => route.path.test(path))
  const route = there.find((candidate) => candidate.method === method)
  if (route !== undefined) return { route, params: route.path.exec(path)?.groups ?? {} }
  if (there.length === 0) throw new Refusal(404, `Not found: ${path}`)
  throw new Refusal(405, `${method} is not allowed here`, {
    Allow: there.map((each) => each.method).join(', '),
  })
}

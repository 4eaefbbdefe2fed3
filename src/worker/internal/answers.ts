/** Answers on their way to the body, in the order of their outcomes in the record (G5). */
import type { Answer, Stage } from "./scope.ts"

export interface Answers {
  /** The outcome of a step has its place in the record: its answer is delivered before those of places to come. */
  readonly placed: (path: string) => void
  /** It does not stand there after all. */
  readonly displaced: (path: string) => void
  readonly answer: (path: string, answer: Answer) => void
  readonly isEmpty: () => boolean
}

export const make = (stage: () => Pick<Stage, "answer" | "displaced" | "placed">): Answers => {
  /** Without an answer while the step is still on its way to its end. */
  const order: Array<{ readonly path: string; answer: Answer | undefined }> = []

  const deliverNext = () => {
    for (let next = order[0]; next?.answer !== undefined; next = order[0]) {
      order.shift()
      stage().answer(next.path, next.answer)
    }
  }

  return {
    placed: (path) => {
      order.push({ path, answer: undefined })
      stage().placed(path)
    },
    displaced: (path) => {
      const at = order.findIndex((placed) => placed.path === path)
      if (at >= 0) order.splice(at, 1)
      stage().displaced(path)
      deliverNext()
    },
    answer: (path, answer) => {
      const placed = order.find((other) => other.path === path)
      if (placed === undefined) order.push({ path, answer })
      else placed.answer = answer
      deliverNext()
    },
    isEmpty: () => order.length === 0
  }
}

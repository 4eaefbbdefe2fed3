/** All checkers, by the guarantee that each decides. */
import type { Checker, Evidence, Violation } from "../evidence.ts"
import { G1 } from "./G1.ts"
import { G10 } from "./G10.ts"
import { G11 } from "./G11.ts"
import { G12 } from "./G12.ts"
import { G13 } from "./G13.ts"
import { G14 } from "./G14.ts"
import { G15 } from "./G15.ts"
import { G16 } from "./G16.ts"
import { G17 } from "./G17.ts"
import { G18 } from "./G18.ts"
import { G2 } from "./G2.ts"
import { G3 } from "./G3.ts"
import { G4 } from "./G4.ts"
import { G5 } from "./G5.ts"
import { G6 } from "./G6.ts"
import { G7 } from "./G7.ts"
import { G8 } from "./G8.ts"
import { G9 } from "./G9.ts"
import { L1 } from "./L1.ts"
import { L2 } from "./L2.ts"
import { L3 } from "./L3.ts"

export const checkers: Readonly<Record<string, Checker>> = {
  G1,
  G2,
  G3,
  G4,
  G5,
  G6,
  G7,
  G8,
  G9,
  G10,
  G11,
  G12,
  G13,
  G14,
  G15,
  G16,
  G17,
  G18,
  L1,
  L2,
  L3
}

/** Every violation of every guarantee. */
export const check = (evidence: Evidence): ReadonlyArray<Violation> =>
  Object.values(checkers).flatMap((checker) => checker(evidence))

import { describe, expect, it } from "vitest";
import { pointed, readNumber } from "../src/numbers";
import { rateProblem } from "../src/panels/RunBar";
import { numberProblem } from "../src/panels/SettingField";

describe("a written number", () => {
  it("has a decimal point or a decimal comma", () => {
    for (const [text, n] of [["0,001", 0.001], ["1,5", 1.5], [" -0.5 ", -0.5], ["1e-3", 0.001], [",5", 0.5], ["2,", 2], ["1,5e-4", 1.5e-4]] as const)
      expect(readNumber(text)).toBe(n);
  });

  it("is not guessed where it could be another", () => {
    for (const text of ["1.000,5", "1,000.5", "1,2,3", "1.2.3", "", "one", "0x10", "Infinity", ","]) expect(readNumber(text)).toBeNaN();
  });

  it("keeps its comma in a browser's own field of numbers", () => {
    expect(pointed(",", "0")).toBe(".");
    expect(pointed(",", "")).toBe(".");
    expect(pointed(",", "1.5")).toBeNull();
    expect(pointed("0,001", "0.01")).toBe("0.001"); // pasted over what stood there
    for (const text of ["1.000,5", "1,000,5", "1,000.5"]) expect(pointed(text, "")).toBeNull();
  });

  it("is refused with its bounds", () => {
    const whole = { kind: "int" as const, min: 1, max: 4096 };
    expect(numberProblem(whole, readNumber("3,7"))).toBe("It must be a whole number.");
    expect(numberProblem(whole, readNumber("999999999"))).toBe("The largest allowed is 4096.");
    expect(numberProblem(whole, readNumber("12"))).toBeNull();
    expect(rateProblem("0,001")).toBeNull();
    expect(rateProblem("1.000,5")).toContain("no number");
    for (const text of ["0", "-1", "101", "1e9"]) expect(rateProblem(text)).toContain("at most 100");
  });
});

// What the server says is checked here before anything else sees it: a shape takes an unknown value and gives it back typed, or throws with
// the place that was wrong. Fields that a shape does not name are ignored, so that a newer server can say more.

export type Shape<T> = (value: unknown, at: string) => T;
export type Of<S> = S extends Shape<infer T> ? T : never;

export class Misshapen extends Error {}

const wrong = (at: string, due: string): never => {
  throw new Misshapen(`the server's answer: ${at || 'it'} is no ${due}`);
};

export const text: Shape<string> = (value, at) => (typeof value === 'string' ? value : wrong(at, 'text'));
export const count: Shape<number> = (value, at) =>
  typeof value === 'number' && Number.isFinite(value) ? value : wrong(at, 'number');
export const flag: Shape<boolean> = (value, at) => (typeof value === 'boolean' ? value : wrong(at, 'yes or no'));
export const anything: Shape<unknown> = (value) => value;

export const oneOf =
  <T extends string>(...names: T[]): Shape<T> =>
  (value, at) =>
    names.find((name) => name === value) ?? wrong(at, names.join(', '));

export const orNull =
  <T>(of: Shape<T>): Shape<T | null> =>
  (value, at) =>
    value === null || value === undefined ? null : of(value, at);

export const list =
  <T>(of: Shape<T>): Shape<T[]> =>
  (value, at) =>
    Array.isArray(value) ? value.map((one, i) => of(one, `${at}[${i}]`)) : wrong(at, 'list');

export const record =
  <S extends Record<string, Shape<unknown>>>(fields: S): Shape<{ [K in keyof S]: Of<S[K]> }> =>
  (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(at, 'object');
    const given = value as Record<string, unknown>;
    const out: Record<string, unknown> = {};
    for (const [name, shape] of Object.entries(fields)) out[name] = shape(given[name], at ? `${at}.${name}` : name);
    return out as { [K in keyof S]: Of<S[K]> };
  };

/** Values told apart by a field: `{state: "verified", ...}`. */
export const tagged =
  <T>(tag: string, shapes: { [name: string]: Shape<T> }): Shape<T> =>
  (value, at) => {
    const name = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[tag] : undefined;
    const shape = typeof name === 'string' ? shapes[name] : undefined;
    return shape ? shape(value, at) : wrong(at ? `${at}.${tag}` : tag, Object.keys(shapes).join(', '));
  };

// fetch-types.d.ts — a name that the generated client takes from the types of browsers, for programs that run under Node.

type BodyInit = NonNullable<RequestInit['body']>;

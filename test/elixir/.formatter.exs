[inputs: ["mix.exs", "{support,test}/**/*.{ex,exs}"], line_length: 100]

import com.sun.source.tree.*;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreeScanner;
import com.sun.source.util.Trees;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * Cyclomatic and cognitive complexity of Java files as SonarSource defines them, from javac's syntax tree.
 *
 * Reads file names from standard input, one a line; writes one line a file, in the same order, tabs between:
 * name, "ok", cyclomatic, cognitive, ""  or  name, "error", "", "", "line: message"; where javac builds a tree in spite of
 * what Sonar's parser objects to, the error comes with both counts.
 *
 * Cyclomatic: methods with a body and lambdas, if, for, for-each, while, do, case labels (not default), the
 * conditional operator, && and ||. Cognitive: the white paper "Cognitive Complexity" (G. Ann Campbell, SonarSource).
 */
public final class SonarMetrics {
    private static final int FILES_PER_TASK = 100;
    /** A method without return type: javac reports it while parsing but builds its tree; Sonar reads such files. */
    private static final List<String> TOLERATED = List.of("compiler.err.invalid.meth.decl.ret.type.req");

    public static void main(String[] arguments) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        List<Source> sources = new ArrayList<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            sources.add(new Source(Path.of(line)));
        }
        for (int i = 0; i < sources.size(); i += FILES_PER_TASK) {
            measure(compiler, sources.subList(i, Math.min(i + FILES_PER_TASK, sources.size())), out);
        }
        out.flush();
    }

    private static void measure(JavaCompiler compiler, List<Source> sources, PrintStream out) throws IOException {
        DiagnosticCollector<JavaFileObject> diagnostics = new DiagnosticCollector<>();
        // Without these limits javac falls silent after a hundred errors, and later files would pass for sound.
        List<String> options = List.of("-proc:none", "-Xmaxerrs", "1000000", "-Xmaxwarns", "0");
        JavacTask task = (JavacTask) compiler.getTask(null, null, diagnostics, options, null, sources);
        Map<URI, CompilationUnitTree> units = new HashMap<>();
        for (CompilationUnitTree unit : task.parse()) {
            units.put(unit.getSourceFile().toUri(), unit);
        }
        Map<URI, String> errors = new HashMap<>();
        Map<URI, List<Long>> withoutType = new HashMap<>();
        for (Diagnostic<? extends JavaFileObject> diagnostic : diagnostics.getDiagnostics()) {
            if (diagnostic.getSource() != null && TOLERATED.contains(diagnostic.getCode())) {
                withoutType.computeIfAbsent(diagnostic.getSource().toUri(), u -> new ArrayList<>()).add(diagnostic.getPosition());
            }
            if (diagnostic.getKind() == Diagnostic.Kind.ERROR && diagnostic.getSource() != null
                    && !TOLERATED.contains(diagnostic.getCode())) {
                String text = diagnostic.getLineNumber() + ": " + diagnostic.getMessage(null);
                errors.putIfAbsent(diagnostic.getSource().toUri(), text.replace('\n', ' ').replace('\t', ' '));
            }
        }
        for (Source source : sources) {
            String error = errors.get(source.toUri());
            CompilationUnitTree unit = units.get(source.toUri());
            if (error != null || unit == null) {
                out.println(source.path + "\terror\t\t\t" + (error == null ? "not parsed" : error));
                continue;
            }
            Strict strict = new Strict(unit, Trees.instance(task).getSourcePositions(),
                withoutType.getOrDefault(source.toUri(), List.of()));
            strict.scan(unit, null);
            Cyclomatic cyclomatic = new Cyclomatic();
            cyclomatic.scan(unit, null);
            Cognitive cognitive = new Cognitive();
            cognitive.scan(unit, null);
            out.println(source.path + (strict.error == null ? "\tok\t" : "\terror\t") + cyclomatic.total + "\t"
                + cognitive.total + "\t" + (strict.error == null ? "" : strict.error));
        }
    }

    private static final class Source extends SimpleJavaFileObject {
        private final Path path;

        Source(Path path) {
            super(path.toUri(), Kind.SOURCE);
            this.path = path;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) throws IOException {
            return Files.readString(path);
        }

        @Override
        public boolean isNameCompatible(String simpleName, Kind kind) {
            return true;
        }
    }

    /** Errors that Sonar's parser finds while reading and javac only later. */
    private static final class Strict extends TreeScanner<Void, Void> {
        private final CompilationUnitTree unit;
        private final SourcePositions positions;
        private final List<Long> withoutType;
        private boolean inConstructor;
        private String error;

        /** withoutType: positions of methods without return type, which javac's tree does not tell from constructors. */
        Strict(CompilationUnitTree unit, SourcePositions positions, List<Long> withoutType) {
            this.unit = unit;
            this.positions = positions;
            this.withoutType = withoutType;
        }

        private void report(Tree tree, String message) {
            if (error == null) {
                long start = positions.getStartPosition(unit, tree);
                error = unit.getLineMap().getLineNumber(Math.max(start, 0)) + ": " + message;
            }
        }

        @Override
        public Void visitMethod(MethodTree tree, Void unused) {
            boolean before = inConstructor;
            long start = positions.getStartPosition(unit, tree);
            long body = tree.getBody() == null ? start : positions.getStartPosition(unit, tree.getBody());
            inConstructor = tree.getReturnType() == null
                    && withoutType.stream().noneMatch(position -> position >= start && position < body);
            super.visitMethod(tree, unused);
            inConstructor = before;
            return null;
        }

        @Override
        public Void visitMethodInvocation(MethodInvocationTree tree, Void unused) {
            String name = tree.getMethodSelect().toString();
            if ((name.equals("super") || name.equals("this")) && !inConstructor) {
                report(tree, "call of a constructor outside a constructor");
            }
            return super.visitMethodInvocation(tree, unused);
        }

        @Override
        public Void visitAssignment(AssignmentTree tree, Void unused) {
            checkTarget(tree.getVariable());
            return super.visitAssignment(tree, unused);
        }

        @Override
        public Void visitCompoundAssignment(CompoundAssignmentTree tree, Void unused) {
            checkTarget(tree.getVariable());
            return super.visitCompoundAssignment(tree, unused);
        }

        @Override
        public Void visitUnary(UnaryTree tree, Void unused) {
            switch (tree.getKind()) {
                case PREFIX_INCREMENT: case PREFIX_DECREMENT: case POSTFIX_INCREMENT: case POSTFIX_DECREMENT:
                    checkTarget(tree.getExpression());
                    break;
                default:
                    break;
            }
            return super.visitUnary(tree, unused);
        }

        @Override
        public Void visitParameterizedType(ParameterizedTypeTree tree, Void unused) {
            if (tree.getTypeArguments().stream().anyMatch(argument -> argument instanceof PrimitiveTypeTree)) {
                report(tree, "a primitive type as type argument");
            }
            return super.visitParameterizedType(tree, unused);
        }

        private void checkTarget(ExpressionTree tree) {
            ExpressionTree inner = tree;
            while (inner instanceof ParenthesizedTree) {
                inner = ((ParenthesizedTree) inner).getExpression();
            }
            if (!(inner instanceof IdentifierTree || inner instanceof MemberSelectTree || inner instanceof ArrayAccessTree)) {
                report(tree, "the target of an assignment is no variable");
            }
        }
    }

    private static final class Cyclomatic extends TreeScanner<Void, Void> {
        private int total;

        @Override
        public Void visitMethod(MethodTree tree, Void unused) {
            if (tree.getBody() != null) {
                total++;
            }
            return super.visitMethod(tree, unused);
        }

        @Override
        public Void visitLambdaExpression(LambdaExpressionTree tree, Void unused) {
            total++;
            return super.visitLambdaExpression(tree, unused);
        }

        @Override
        public Void visitIf(IfTree tree, Void unused) {
            total++;
            return super.visitIf(tree, unused);
        }

        @Override
        public Void visitForLoop(ForLoopTree tree, Void unused) {
            total++;
            return super.visitForLoop(tree, unused);
        }

        @Override
        public Void visitEnhancedForLoop(EnhancedForLoopTree tree, Void unused) {
            total++;
            return super.visitEnhancedForLoop(tree, unused);
        }

        @Override
        public Void visitWhileLoop(WhileLoopTree tree, Void unused) {
            total++;
            return super.visitWhileLoop(tree, unused);
        }

        @Override
        public Void visitDoWhileLoop(DoWhileLoopTree tree, Void unused) {
            total++;
            return super.visitDoWhileLoop(tree, unused);
        }

        @Override
        public Void visitCase(CaseTree tree, Void unused) {
            if (!tree.getExpressions().isEmpty()) {
                total++;
            }
            return super.visitCase(tree, unused);
        }

        @Override
        public Void visitConditionalExpression(ConditionalExpressionTree tree, Void unused) {
            total++;
            return super.visitConditionalExpression(tree, unused);
        }

        @Override
        public Void visitBinary(BinaryTree tree, Void unused) {
            if (isLogical(tree)) {
                total++;
            }
            return super.visitBinary(tree, unused);
        }
    }

    private static final class Cognitive extends TreeScanner<Void, Void> {
        private int total;
        private int nesting;
        private int classes;

        private void structure() {
            add(1 + nesting);
        }

        private void add(int more) {
            total += inField ? 0 : more;
        }

        private void nested(Tree tree) {
            nesting++;
            scan(tree, null);
            nesting--;
        }

        @Override
        public Void visitClass(ClassTree tree, Void unused) {
            // A class inside a method deepens the nesting; a class at the top or inside a class does not.
            boolean local = classes > 0 && nestedInMethod;
            boolean before = nestedInMethod;
            classes++;
            nesting += local ? 1 : 0;
            for (Tree member : tree.getMembers()) {
                boolean field = inField;
                inField |= member instanceof VariableTree;
                nestedInMethod = member instanceof BlockTree;
                scan(member, null);
                inField = field;
            }
            nestedInMethod = before;
            nesting -= local ? 1 : 0;
            classes--;
            return null;
        }

        private boolean nestedInMethod;
        /** Sonar visits methods and initializer blocks; what initializes a field counts for nothing. */
        private boolean inField;

        @Override
        public Void visitMethod(MethodTree tree, Void unused) {
            boolean before = nestedInMethod;
            boolean field = inField;
            nestedInMethod = true;
            inField = false;
            super.visitMethod(tree, unused);
            nestedInMethod = before;
            inField = field;
            return null;
        }

        @Override
        public Void visitIf(IfTree tree, Void unused) {
            structure();
            branches(tree);
            return null;
        }

        private void branches(IfTree tree) {
            scan(tree.getCondition(), null);
            nested(tree.getThenStatement());
            StatementTree other = tree.getElseStatement();
            if (other instanceof IfTree) {
                add(1);
                branches((IfTree) other);
            } else if (other != null) {
                add(1);
                nested(other);
            }
        }

        @Override
        public Void visitForLoop(ForLoopTree tree, Void unused) {
            structure();
            nesting++;
            super.visitForLoop(tree, unused);
            nesting--;
            return null;
        }

        @Override
        public Void visitEnhancedForLoop(EnhancedForLoopTree tree, Void unused) {
            structure();
            nesting++;
            super.visitEnhancedForLoop(tree, unused);
            nesting--;
            return null;
        }

        @Override
        public Void visitWhileLoop(WhileLoopTree tree, Void unused) {
            structure();
            nesting++;
            super.visitWhileLoop(tree, unused);
            nesting--;
            return null;
        }

        @Override
        public Void visitDoWhileLoop(DoWhileLoopTree tree, Void unused) {
            structure();
            nesting++;
            super.visitDoWhileLoop(tree, unused);
            nesting--;
            return null;
        }

        @Override
        public Void visitSwitch(SwitchTree tree, Void unused) {
            structure();
            nested(tree.getExpression());
            tree.getCases().forEach(this::nested);
            return null;
        }

        @Override
        public Void visitSwitchExpression(SwitchExpressionTree tree, Void unused) {
            structure();
            nested(tree.getExpression());
            tree.getCases().forEach(this::nested);
            return null;
        }

        @Override
        public Void visitCatch(CatchTree tree, Void unused) {
            structure();
            scan(tree.getParameter(), unused);
            nested(tree.getBlock());
            return null;
        }

        @Override
        public Void visitConditionalExpression(ConditionalExpressionTree tree, Void unused) {
            structure();
            nested(tree.getCondition());
            nested(tree.getTrueExpression());
            nested(tree.getFalseExpression());
            return null;
        }

        @Override
        public Void visitLambdaExpression(LambdaExpressionTree tree, Void unused) {
            nested(tree.getBody());
            return null;
        }

        @Override
        public Void visitBreak(BreakTree tree, Void unused) {
            add(tree.getLabel() == null ? 0 : 1);
            return null;
        }

        @Override
        public Void visitContinue(ContinueTree tree, Void unused) {
            add(tree.getLabel() == null ? 0 : 1);
            return null;
        }

        @Override
        public Void visitBinary(BinaryTree tree, Void unused) {
            if (!isLogical(tree)) {
                return super.visitBinary(tree, unused);
            }
            List<Tree.Kind> operators = new ArrayList<>();
            List<Tree> operands = new ArrayList<>();
            flatten(tree, operators, operands);
            Tree.Kind last = null;
            for (Tree.Kind operator : operators) {
                if (operator != last) {
                    add(1);
                }
                last = operator;
            }
            operands.forEach(operand -> scan(operand, null));
            return null;
        }

        /** Operators and operands of a logical expression in reading order; parentheses do not end a sequence. */
        private void flatten(ExpressionTree tree, List<Tree.Kind> operators, List<Tree> operands) {
            ExpressionTree inner = tree;
            while (inner instanceof ParenthesizedTree) {
                inner = ((ParenthesizedTree) inner).getExpression();
            }
            if (inner instanceof BinaryTree && isLogical((BinaryTree) inner)) {
                BinaryTree binary = (BinaryTree) inner;
                flatten(binary.getLeftOperand(), operators, operands);
                operators.add(binary.getKind());
                flatten(binary.getRightOperand(), operators, operands);
            } else {
                operands.add(tree);
            }
        }
    }

    private static boolean isLogical(BinaryTree tree) {
        return tree.getKind() == Tree.Kind.CONDITIONAL_AND || tree.getKind() == Tree.Kind.CONDITIONAL_OR;
    }
}
